# fontgan in a container: the studio on port 8460, or any other command. What it makes lies in the volume /project.
#
#   docker build -t fontgan .                              # for the CPU; 4 GB smaller with the index of PyTorch's builds
#                                                          # for the CPU: --build-arg PIP_EXTRA_INDEX_URL=, see pytorch.org
#   docker build -t fontgan:cuda --build-arg BASE=cuda .   # for NVIDIA's cards
#   docker run --rm -it -p 127.0.0.1:8460:8460 -v fontgan-project:/project fontgan
#   docker run --rm -it --gpus all -p 127.0.0.1:8460:8460 -v fontgan-project:/project fontgan:cuda
#   docker run --rm -v fontgan-project:/project fontgan train experiment=quickstart out=runs/quickstart
#
# BASE may also name an image of your own that has Python 3.11 or newer with venv.
ARG BASE=cpu

FROM python:3.12-slim AS cpu

# PyTorch brings CUDA itself; this base asks the host for the driver, and is small.
FROM nvidia/cuda:13.0.1-base-ubuntu24.04 AS cuda
# hadolint ignore=DL3008  # Ubuntu keeps no older versions that could be named
RUN apt-get update \
 && apt-get install --yes --no-install-recommends python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*

FROM ${BASE}
ARG PIP_EXTRA_INDEX_URL
ENV PATH=/opt/fontgan/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN useradd --create-home --uid 10001 fontgan \
 && mkdir /project \
 && chown fontgan:fontgan /project
RUN --mount=type=bind,target=/src,rw \
    python3 -m venv /opt/fontgan \
 && pip install "/src[studio,handwriting,ocr,export]"
USER 10001
VOLUME /project
WORKDIR /project
EXPOSE 8460
ENTRYPOINT ["fontgan"]
# All addresses, since a published port comes from outside the container; the address that is printed holds a token.
CMD ["studio", "host=0.0.0.0", "shown_host=localhost", "open=false"]
