# docker build -t humobctl .
# docker build -t humobctl:cuda --build-arg VARIANT=cu128 --build-arg EXTRAS=plot,torch .
# docker run --rm -v "$PWD:/data" humobctl data describe city.parquet
#
# VARIANT is the name of a PyTorch build: cpu, or cu128 and the like. The CUDA builds bring their
# own libraries, so the base image is the same; `docker run --gpus all` gives them the driver.

FROM python:3.13-slim AS build
WORKDIR /src
COPY . .
# No C compiler in this image: the build hook fetches one for as long as the build lasts.
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /dist .

FROM python:3.13-slim
ARG VARIANT=cpu
ARG EXTRAS=plot
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
COPY --from=build /dist /dist
COPY constraints-cpu.txt /dist/
# The version to install is that of the wheel built above.
# hadolint ignore=DL3013
RUN constraints=() \
    && if [[ "$VARIANT" == cpu ]]; then constraints=(-c /dist/constraints-cpu.txt); fi \
    && wheel=(/dist/humobctl-*.whl) \
    && pip install --no-cache-dir "${constraints[@]}" \
        --extra-index-url "https://download.pytorch.org/whl/${VARIANT}" \
        "${wheel[0]}${EXTRAS:+[${EXTRAS}]}" \
    && rm -r /dist \
    && useradd --create-home --uid 1000 humobctl
USER 1000
WORKDIR /data
ENTRYPOINT ["humobctl"]
CMD ["--help"]
