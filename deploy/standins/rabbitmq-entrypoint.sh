#!/bin/sh
set -eu
export RABBITMQ_CONFIG_FILE=/tmp/rabbitmq.conf
cat >"$RABBITMQ_CONFIG_FILE" <<CONF
default_user = ${RABBITMQ_DEFAULT_USER:-guest}
default_pass = ${RABBITMQ_DEFAULT_PASS:-guest}
log.console = true
CONF
exec rabbitmq-server
