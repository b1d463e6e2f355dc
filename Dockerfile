# syntax=docker/dockerfile:1
# docker build -t talkvid .                                  CPU
# docker build -t talkvid:gpu --build-arg DEVICE=gpu .       NVIDIA GPU; run it with --gpus all
# How to run it, and what was and was not tried: docs/docker.md
ARG PYTHON=3.11
FROM python:${PYTHON}-slim-bookworm

ARG DEVICE=cpu
# Extras of pyproject.toml.
ARG EXTRAS=app,curation,eval,train
# libGL and libglib: OpenCV links them. g++: DeepSpeed and --compile build parts of themselves.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 g++ \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 talkvid

ENV VIRTUAL_ENV=/opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

# The packages first: this layer is made again only when the project's requirements change.
WORKDIR /opt/talkvid
COPY pyproject.toml requirements.txt README.md LICENSE ./
COPY src/talkvid/__init__.py src/talkvid/__init__.py
# hadolint ignore=DL3013,DL3042
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv /opt/venv \
    && grep "==" requirements.txt > constraints.txt \
    && if [ "$DEVICE" = gpu ]; then index=https://pypi.org/simple; \
       else index=https://download.pytorch.org/whl/cpu; fi \
    && pip install --index-url "$index" --extra-index-url https://pypi.org/simple \
       "$(grep "^torch==" constraints.txt)" \
    && pip install -c constraints.txt -e ".[$EXTRAS]"

COPY src src
COPY scripts scripts
COPY data_pipeline data_pipeline
COPY test_samples test_samples

# Models are fetched into a volume, results and runs go to another: the image holds neither.
RUN mkdir -p /srv/talkvid/model_ckpts /srv/talkvid/output /srv/talkvid/exp && chown -R 1000:1000 /srv/talkvid
USER 1000:1000
WORKDIR /srv/talkvid
VOLUME ["/srv/talkvid/model_ckpts", "/srv/talkvid/output", "/srv/talkvid/exp"]

EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=10s --start-period=180s --retries=3 \
    CMD ["python", "-c", "import urllib.request as web; web.urlopen('http://127.0.0.1:7860/', timeout=8).close()"]

ENTRYPOINT ["talkvid"]
CMD ["app", "--host", "0.0.0.0"]
