# syntax=docker/dockerfile:1
# The receiver's image: `serve` (the default), `worker`, `db upgrade` and every other command of `receiver`.
# Same Python as the tests run on. For a build that can be repeated bit by bit, give it by digest: --build-arg PYTHON=...
ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS build
WORKDIR /src
# An environment of its own, without pip: what runs later holds the receiver and its dependencies, and no installer.
RUN python -m venv --without-pip /opt/receiver
COPY . .
# All dependencies come as wheels at the versions in constraints.txt; no compiler is needed. Bytecode is written here,
# since the running container cannot write beside the modules.
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --disable-pip-version-check --python /opt/receiver/bin/python install -c constraints.txt '.[apprise,kafka,nats,remediation]'

FROM ${PYTHON}
LABEL org.opencontainers.image.title="alert-receiver" \
      org.opencontainers.image.description="Takes alerts from Grafana and Alertmanager, and makes incidents of them" \
      org.opencontainers.image.licenses="Apache-2.0"
# By number, so that Kubernetes' runAsNonRoot can see that it is not root. The folder is for an embedded database, where
# one is used; a named volume mounted there takes over its owner.
RUN groupadd --gid 10001 receiver \
 && useradd --uid 10001 --gid 10001 --home-dir /var/lib/receiver --no-create-home --shell /usr/sbin/nologin receiver \
 && install --directory --owner=10001 --group=10001 --mode=0750 /var/lib/receiver
COPY --from=build /opt/receiver /opt/receiver
# The root file system may be read-only: all that is written at run time goes to /tmp, and bytecode nowhere.
# On loopback nobody outside the container would reach it; beyond loopback it starts only with credentials.
ENV PATH=/opt/receiver/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    RECEIVER_BIND=0.0.0.0:8080 \
    RECEIVER_METRICS_DIR=/tmp/metrics
USER 10001:10001
WORKDIR /var/lib/receiver
EXPOSE 8080
# For `serve`. Alive, not ready: a database that is away is no reason to replace the receiver. A worker's check is another,
# see docker-compose.yml.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8080, timeout=4); c.request('GET', '/livez'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["receiver"]
CMD ["serve"]
