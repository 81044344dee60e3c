# syntax=docker/dockerfile:1
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
WORKDIR /src
COPY requirements/run.lock requirements/run.lock
RUN python -m venv /opt/connector \
 && /opt/connector/bin/pip install --no-cache-dir --require-hashes -r requirements/run.lock
COPY pyproject.toml README.md mapping.sql ./
COPY connector connector
RUN /opt/connector/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
 && /opt/connector/bin/pip uninstall --yes setuptools pip

FROM ${BASE}
RUN useradd --system --uid 10001 --home-dir /data --create-home connector
COPY --from=build /opt/connector /opt/connector
ENV PATH=/opt/connector/bin:$PATH \
    CONNECTOR_CHECKPOINTS__URL=sqlite:////data/connector.db \
    CONNECTOR_STATUS__HOST=0.0.0.0
USER connector
WORKDIR /data
VOLUME /data
EXPOSE 9464
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:9464/healthz', timeout=2)"]
ENTRYPOINT ["redo-connector"]
CMD ["run"]
