FROM python:3.11.14-slim-bookworm AS build
RUN apt-get update && apt-get install --yes --no-install-recommends binutils
WORKDIR /build
COPY requirements.txt .
RUN python -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.txt
COPY . .
RUN /venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
 && deploy/slim.sh /venv

FROM python:3.11.14-slim-bookworm AS system
RUN groupadd --system --gid 10001 latchkey \
 && useradd --system --uid 10001 --gid 10001 latchkey \
 && install -d -o 10001 -g 10001 /backups \
 && rm -rf /usr/local/* /root/.cache /var/lib/apt/lists/*

# What a layer removes stays in those below it: these begin with nothing.
FROM scratch
COPY --from=system / /
COPY --from=build /usr/local /usr/local
COPY --from=build /venv /venv
ENV PATH=/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1 LATCHKEY_LOG_FORMAT=json
# By numbers: Kubernetes can't tell whether a name is root.
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000
CMD ["latchkey", "web"]
