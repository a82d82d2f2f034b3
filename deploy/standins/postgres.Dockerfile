# Stands in for postgres:18: makes the cluster and runs /docker-entrypoint-initdb.d once, listens on all addresses.
ARG DEBIAN=debian-stand-in
FROM ${DEBIAN}
RUN apt-get update \
    && mkdir -p /etc/postgresql-common \
    && echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf \
    && apt-get install --yes --no-install-recommends postgresql \
    && rm -rf /var/lib/apt/lists/* \
    && ln -s /usr/lib/postgresql/*/bin /usr/local/postgresql
COPY postgres-entrypoint.sh /usr/local/bin/
ENV PATH=/usr/local/postgresql:$PATH \
    PGDATA=/var/lib/postgresql/data
USER postgres
VOLUME /var/lib/postgresql
EXPOSE 5432
STOPSIGNAL SIGINT
ENTRYPOINT ["postgres-entrypoint.sh"]
CMD ["postgres"]
