# The servers of the batch stores: those that the tests have on this machine, put on top of the image of the job, which
# has the Python and the Java that they need.
ARG JOB
FROM ${JOB}
USER root
RUN apt-get update \
    && apt-get install --yes --no-install-recommends mariadb-client-core mariadb-server-core redis-server \
    && rm -rf /var/lib/apt/lists/*
COPY cassandra /opt/shop/.cache/cassandra
COPY local /opt/shop/app/local
COPY store_server.py /opt/store_server.py
ENTRYPOINT ["python", "/opt/store_server.py"]
