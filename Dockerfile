# One image for all roles: `docker run firstline serve intake`, or `up` for the whole desk in one process.
# Build: docker build -t firstline .
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PYTHON_DOWNLOADS=never \
    VIRTUAL_ENV=/opt/firstline
WORKDIR /source
COPY requirements/tools.txt requirements/run.txt requirements/s3.txt requirements/build.txt requirements/
RUN python3 -m venv /opt/tools \
    && /opt/tools/bin/pip install --no-cache-dir --only-binary :all: --require-hashes -r requirements/tools.txt \
    && python3 -m venv --without-pip "$VIRTUAL_ENV" \
    && /opt/tools/bin/uv pip install --require-hashes -r requirements/run.txt -r requirements/s3.txt
COPY pyproject.toml README.md LICENSE ./
COPY libs libs
COPY services services
COPY policies policies
RUN /opt/tools/bin/uv pip install --no-deps --build-constraints requirements/build.txt .

FROM ${PYTHON_IMAGE}
RUN groupadd --gid 10001 firstline \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin firstline \
    && install --directory --owner firstline --group firstline --mode 0750 /data /keys
COPY --from=build /opt/firstline /opt/firstline
ENV PATH=/opt/firstline/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    FIRSTLINE_DATA=/data \
    FIRSTLINE_HOST=0.0.0.0
USER 10001:10001
# Nothing but this folder needs to be writable: it also takes temporary files where /tmp can't.
WORKDIR /data
VOLUME /data
EXPOSE 8080 2525
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s CMD ["python3", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + (os.environ.get('FIRSTLINE_PORT') or '8080') + '/healthz', timeout=4)"]
ENTRYPOINT ["firstline"]
CMD ["up"]
