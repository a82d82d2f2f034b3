# Stands in for nginx:1.28.
ARG DEBIAN=debian-stand-in
FROM ${DEBIAN}
RUN apt-get update \
    && apt-get install --yes --no-install-recommends nginx-light \
    && rm -rf /var/lib/apt/lists/*
EXPOSE 80
STOPSIGNAL SIGQUIT
CMD ["nginx", "-g", "daemon off;"]
