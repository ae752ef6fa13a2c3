# The image of Farthing: the program, what it is linked to, and nobody to be but an ordinary user.
#
#   podman build -t farthing .                                  # compiles everything from source
#   make build && podman build -t farthing --build-arg PROGRAM=prebuilt .    # packs dist/farthing
#
# Its root file system may be read only; what it keeps is in /data:
#
#   podman run --read-only -v farthing:/data farthing cost --by team

# Debian 12 everywhere, so that the program meets the libc that it was linked to.
ARG BUILDER=docker.io/library/rust:1.90-bookworm
ARG NODE=docker.io/library/node:22-bookworm-slim
ARG BASE=docker.io/library/debian:12-slim

FROM ${NODE} AS node

FROM ${BUILDER} AS build
# `compile`, or `prebuilt`: what `make build` left in dist/.
ARG PROGRAM=compile
ARG FEATURES=cloud
WORKDIR /src
COPY . .
# Node builds the dashboard into the program, and is not in the image.
RUN --mount=type=bind,from=node,source=/usr/local,target=/opt/node \
    if [ "$PROGRAM" = prebuilt ]; then \
        test -x dist/farthing || { echo 'dist/farthing is missing: run make build' >&2; exit 1; }; \
    else \
        PATH="$PATH:/opt/node/bin" FEATURES="$FEATURES" make build; \
    fi && \
    mkdir -p /out/data && cp dist/farthing /out/farthing

FROM ${BASE}
COPY --from=build /out/farthing /usr/local/bin/farthing
COPY --from=build --chown=65532:65532 /out/data /data
ENV FARTHING_DATA=/data
# Blocks of a megabyte and more are given back when they are freed (docs/adr/0027).
ENV MALLOC_MMAP_THRESHOLD_=1048576
USER 65532:65532
VOLUME /data
EXPOSE 4040
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/farthing"]
CMD ["--help"]
