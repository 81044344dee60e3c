# syntax=docker/dockerfile:1
# BASE_DIGEST=sha256:... pins the base; without it the tag is taken as it is today. docs/deploy.md has the whole command.
ARG BASE=python:3.11-slim-bookworm
ARG BASE_DIGEST

FROM ${BASE}${BASE_DIGEST:+@${BASE_DIGEST}} AS build
WORKDIR /src
# binutils for `strip`, in this stage only. Debian drops a version's file once it has the next one, so it isn't pinned.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends binutils && rm -rf /var/lib/apt/lists/*
COPY requirements/run.lock requirements/run.lock
RUN python -m venv /opt/connector \
 && /opt/connector/bin/pip install --no-cache-dir --no-compile --require-hashes -r requirements/run.lock
COPY pyproject.toml README.md mapping.sql ./
COPY connector connector
# Byte code (a second at each start) and uvloop's debugging symbols are 40 MB.
RUN /opt/connector/bin/pip install --no-cache-dir --no-compile --no-deps --no-build-isolation . \
 && /opt/connector/bin/pip uninstall --yes setuptools pip \
 && find /opt/connector -name __pycache__ -prune -exec rm -rf {} + \
 && strip --strip-unneeded /opt/connector/lib/python3*/site-packages/uvloop/loop.*.so

FROM ${BASE}${BASE_DIGEST:+@${BASE_DIGEST}}
ARG BASE
ARG BASE_DIGEST
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="redo-connector" \
      org.opencontainers.image.description="Keeps Redo's copy of a legacy OMS's orders true" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE}" \
      org.opencontainers.image.base.digest="${BASE_DIGEST}"
RUN useradd --system --uid 10001 --user-group --home-dir /data --create-home connector
COPY --from=build /opt/connector /opt/connector
# Nothing is written outside /data, so the root file system may be read-only.
ENV PATH=/opt/connector/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    CONNECTOR_CHECKPOINTS__URL=sqlite:////data/connector.db \
    CONNECTOR_STATUS__HOST=0.0.0.0
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 9464
STOPSIGNAL SIGTERM
# Alive, not ready: what waits for Redo or for Postgres is not mended by starting it again.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:9464/healthz', timeout=2)"]
ENTRYPOINT ["redo-connector"]
CMD ["run"]
