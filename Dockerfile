# The context is the folder that `make image` fills: the static binary, and the two
# empty folders that nothing in an empty image could make.
FROM scratch
COPY flowlatch /flowlatch
COPY --chown=65532:65532 tmp /tmp
COPY --chown=65532:65532 data /data
ENV FLOWLATCH_ADDR=:8080 FLOWLATCH_DATA_DIR=/data
USER 65532:65532
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s CMD ["/flowlatch", "healthcheck"]
ENTRYPOINT ["/flowlatch"]
CMD ["serve"]
