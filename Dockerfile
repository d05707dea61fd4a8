# One image for the web, the worker and beat. Built in two steps, so that what installs packages does not run in production.
FROM python:3.13-slim AS packages
RUN python -m venv /opt/venv
COPY requirements/production.txt /tmp/production.txt
RUN /opt/venv/bin/pip install --no-cache-dir --no-deps --require-hashes -r /tmp/production.txt

FROM python:3.13-slim
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DJANGO_SETTINGS_MODULE=clinic.settings \
    STATIC_COLLECTED=true \
    STATIC_ROOT=/srv/static
COPY --from=packages /opt/venv /opt/venv
WORKDIR /srv/product
COPY manage.py ./
COPY clinic clinic
COPY courses courses
COPY notifications notifications
COPY locale locale
# Compiled beforehand, as nothing can be written once it runs. Collecting files asks for a key, of which it makes no use.
RUN python -m compileall -q clinic courses notifications manage.py \
    && SECRET_KEY=unused-while-building python manage.py collectstatic --noinput --verbosity 0 \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin clinic
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["python", "-m", "clinic.healthcheck"]
CMD ["gunicorn", "clinic.wsgi", "--bind", "0.0.0.0:8000", "--workers", "2", "--threads", "4", "--worker-tmp-dir", "/dev/shm", "--no-control-socket"]
