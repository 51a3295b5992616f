"""HTTP in front of the services: it reads requests, asks who sends them, calls one service and writes the answer.

To add an API resource: a module in web/api with an `ApiBlueprint`, so that the roles, the
problems and the OpenAPI document apply to it, and an entry in `web.api._BLUEPRINTS`.
"""
