"""Brokers that events go out to. To add one: a file here with a class after base.Broker, its scheme in
domain/broker_address.py, a line in registry.py, and an extra in setup.cfg: nobody needs all the clients."""
