#!/bin/sh
# Builds the servers of tests/servers/observers.py into a folder, with Go 1.26 or newer: otelcol, jaeger, prometheus with
# promtool, or all of them. The tests find them there when OVERWINTER_TEST_SERVERS names it, or it is on PATH.
#
#     sh tests/servers/observers.sh FOLDER [otelcol|jaeger|prometheus]...
set -eu
[ $# -gt 0 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 2; }
mkdir -p "$1"
GOBIN=$(cd "$1" && pwd)
shift
[ $# -gt 0 ] || set -- otelcol jaeger prometheus
export GOBIN CGO_ENABLED=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# A module of its own for each, so that each is built from the versions that it was released with.
tools() {
    mkdir "$1" && cd "$1"
    go mod init "tools/$1"
    shift
    go get -tool "$@"
    go install -trimpath -ldflags="-s -w" -tags remove_all_sd tool
    cd ..
}

for name; do
    case $name in
    jaeger) tools jaeger github.com/jaegertracing/jaeger/cmd/jaeger@v1.76.0 ;;
    prometheus)
        tools prometheus github.com/prometheus/prometheus/cmd/prometheus@v0.316.0 \
            github.com/prometheus/prometheus/cmd/promtool@v0.316.0
        ;;
    otelcol)
        cat >manifest.yaml <<END
dist: {name: otelcol, output_path: $work/otelcol, version: 0.165.0}
receivers: [gomod: go.opentelemetry.io/collector/receiver/otlpreceiver v0.165.0]
processors: [gomod: go.opentelemetry.io/collector/processor/batchprocessor v0.165.0]
exporters:
  - gomod: go.opentelemetry.io/collector/exporter/otlphttpexporter v0.165.0
  - gomod: go.opentelemetry.io/collector/exporter/debugexporter v0.165.0
END
        go run go.opentelemetry.io/collector/cmd/builder@v0.165.0 --config manifest.yaml
        cp otelcol/otelcol "$GOBIN/"
        ;;
    *) echo "there is no $name; write otelcol, jaeger or prometheus" >&2 && exit 2 ;;
    esac
done
