# What a work pool runs (docs/benchmark.md): the code, its environment and the embedded base. Results go to /studies, a volume.
FROM python:3.12-slim
RUN apt-get update && apt-get install --yes --no-install-recommends git && rm -rf /var/lib/apt/lists/*
WORKDIR /videodreamer
COPY requirements.lock pyproject.toml ./
RUN pip install --no-cache-dir --requirement requirements.lock
RUN pip install --no-cache-dir "prefect-dask>=0.3.7,<0.4" "prefect-ray>=0.6,<0.7" "prefect>=3.8.8,<3.9" "fastapi>=0.139,<0.151"
COPY . .
RUN pip install --no-cache-dir --no-deps --editable . \
    && useradd --create-home --uid 1000 videodreamer \
    && mkdir /studies && chown --recursive videodreamer /studies /videodreamer
USER videodreamer
ENV DO_NOT_TRACK=1 PREFECT_SERVER_ANALYTICS_ENABLED=false MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=17179869184
VOLUME /studies
CMD ["python", "-m", "flows.benchmark", "run", "--store", "/studies"]
