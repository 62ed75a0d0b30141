# Checks an allocator that is mounted into it:
#   docker build -t heapster .
#   docker run --rm -v "$PWD:/work" heapster fuzz mm.c
FROM python:3.12-slim-bookworm AS wheel
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev binutils && rm -rf /var/lib/apt/lists/*
COPY . /source
WORKDIR /source
RUN pip install --no-cache-dir --requirement requirements.txt --requirement requirements-release.txt \
    && HEAPSTER_SHIP=1 python -m build --no-isolation --wheel --outdir /dist

FROM python:3.12-slim-bookworm
RUN apt-get update \
    && apt-get install --yes --no-install-recommends binutils bubblewrap clang g++ gcc gdb libc6-dev make \
    && rm -rf /var/lib/apt/lists/*
COPY --from=wheel /dist /dist
RUN pip install --no-cache-dir "$(ls /dist/*.whl)[races,report,coverage]" && rm -rf /dist
ENV XDG_CACHE_HOME=/tmp/cache
WORKDIR /work
ENTRYPOINT ["heapster"]
CMD ["--help"]
