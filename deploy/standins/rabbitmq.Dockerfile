# Stands in for rabbitmq:4: makes the user of RABBITMQ_DEFAULT_USER, and listens on all addresses.
ARG DEBIAN=debian-stand-in
FROM ${DEBIAN}
RUN apt-get update \
    && apt-get install --yes --no-install-recommends rabbitmq-server \
    && rm -rf /var/lib/apt/lists/* /var/lib/rabbitmq/mnesia /var/lib/rabbitmq/.erlang.cookie
COPY rabbitmq-entrypoint.sh /usr/local/bin/
USER rabbitmq
VOLUME /var/lib/rabbitmq
EXPOSE 5672
ENTRYPOINT ["rabbitmq-entrypoint.sh"]
