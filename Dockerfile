# syntax=docker/dockerfile:1
FROM node:22-slim AS browser
RUN apt-get update && apt-get install -y --no-install-recommends python3 && rm -rf /var/lib/apt/lists/*
WORKDIR /product
COPY package.json package-lock.json .npmrc ./
COPY bin/lib/assets bin/lib/assets
COPY static static
COPY templates templates
COPY trackstat trackstat
RUN python3 bin/lib/assets

FROM python:3.13-slim
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 DJANGO_SETTINGS_MODULE=trackstat.settings
WORKDIR /product
COPY requirements.txt .
RUN pip install --require-hashes --no-deps -r requirements.txt
COPY . .
COPY --from=browser /product/static/vendor static/vendor
COPY --from=browser /product/static/build static/build
# Static files are collected with a secret that is thrown away: nothing is signed here.
RUN SECRET_KEY=build PUBLIC_URL=https://build.invalid python manage.py collectstatic --noinput \
    && useradd --system --no-create-home trackstat \
    && install -d -o trackstat /data
USER trackstat
EXPOSE 8000
CMD ["gunicorn", "trackstat.wsgi:application", "--bind", "0.0.0.0:8000", "--worker-class", "gthread", "--workers", "2", "--threads", "8", "--no-control-socket"]
