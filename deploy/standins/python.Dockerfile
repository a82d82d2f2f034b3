# Stands in for python:3.11-slim-bookworm. Trusts the certificates that the building machine trusts.
ARG DEBIAN=debian-stand-in
FROM ${DEBIAN}
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
ENV SSL_CERT_FILE=/etc/builder-certificates.crt \
    PIP_CERT=/etc/builder-certificates.crt
CMD ["python3"]
