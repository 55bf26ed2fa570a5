# docker build -t triplet-train .
# docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" triplet-train triplet-embed --help
FROM python:3.11-slim

WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY triplet_train triplet_train
COPY configs configs
RUN python -m pip install --no-cache-dir .

# Libraries keep settings in a home that any user can write to.
ENV HOME=/tmp
WORKDIR /work
CMD ["triplet-embed", "--help"]
