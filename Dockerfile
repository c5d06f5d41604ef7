# The proxy alone. PostgreSQL runs elsewhere.
FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --profile dist --locked --package trunkline --bin trunkline

FROM debian:bookworm-slim
RUN useradd --system --no-create-home trunkline
COPY --from=build /src/target/dist/trunkline /usr/local/bin/trunkline
USER trunkline
EXPOSE 6432 9632
ENTRYPOINT [ "trunkline" ]
CMD [ "serve", "-c", "/etc/trunkline/trunkline.yaml" ]
