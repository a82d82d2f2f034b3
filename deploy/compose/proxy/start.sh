#!/bin/sh
# Starts the proxy with the name server of its container: it asks for a service's address when a request comes, not at
# the start, so that a service may start later, move, or run several times. Only the first server knows those names.
set -eu
awk '$1 == "nameserver" { print "resolver " ($2 ~ /:/ ? "[" $2 "]" : $2) " valid=5s ipv6=off;"; exit }' \
    /etc/resolv.conf >/tmp/resolver.conf
exec nginx -e stderr -c /etc/firstline/nginx.conf -g 'daemon off;'
