# The support desk as an image: small, non-root, compiled, without any tool of its making.
#
#   docker build --tag registry.example.com/support-desk:0.1.0 .
#   docker build --build-arg PLATFORM=openfaas --tag registry.example.com/support-desk-openfaas:0.1.0 .
#
# EXTRAS chooses the parts of overwinter that come with it; llm is by far the largest.

ARG PYTHON=3.13
ARG PLATFORM=plain
ARG WATCHDOG=ghcr.io/openfaas/of-watchdog:0.11.5

# -- everything is built here, and only its result goes on ---------------------------------------
FROM python:${PYTHON}-slim AS build
ARG EXTRAS=redis,encryption,llm
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /source
COPY pyproject.toml README.md LICENSE __init__.py py.typed ./
COPY cli cli
COPY console console
COPY functions functions
COPY orchestrator orchestrator
COPY patterns patterns
COPY security security
COPY telemetry telemetry
COPY state state
COPY testing testing
RUN pip wheel --wheel-dir /wheels ".[${EXTRAS}]"
# Bytecode that is never checked against its source: nothing can write it anew in a read-only file system.
RUN python -m venv --without-pip /opt/overwinter \
    && pip --python /opt/overwinter/bin/python install --no-compile --no-index --find-links /wheels "overwinter[${EXTRAS}]" \
    && python -m compileall -q --invalidation-mode unchecked-hash /opt/overwinter/lib
WORKDIR /app
COPY examples/support_desk.py knative/dead_letters.py ./
RUN python -m compileall -q --invalidation-mode unchecked-hash /app

# -- what runs on Knative, and everywhere else ----------------------------------------------------
FROM python:${PYTHON}-slim AS plain
ENV PATH=/opt/overwinter/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    LITELLM_LOCAL_MODEL_COST_MAP=True \
    OVERWINTER_HOST=0.0.0.0 \
    HOME=/tmp
COPY --from=build /opt/overwinter /opt/overwinter
COPY --from=build /app /app
WORKDIR /app
USER 65532:65532
# The port is PORT, which the platform sets, else 8080. Without OVERWINTER_TOKEN it refuses to start.
EXPOSE 8080
# The platform's probes ask /healthz and /readyz; a health check of the engine's own would only ask twice.
HEALTHCHECK NONE
CMD ["overwinter", "serve", "support_desk.py"]

# -- the same behind OpenFaaS's watchdog (stack.yml) ----------------------------------------------
FROM ${WATCHDOG} AS watchdog

FROM plain AS openfaas
COPY --from=watchdog --chmod=755 /fwatchdog /usr/bin/fwatchdog
ENV mode=http \
    fprocess="overwinter serve support_desk.py" \
    upstream_url=http://127.0.0.1:5000 \
    ready_path=/readyz \
    OVERWINTER_HOST=127.0.0.1 \
    PORT=5000
CMD ["fwatchdog"]

FROM ${PLATFORM}
