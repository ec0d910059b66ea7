# The image of agent, controller and command line:   docker build -t overland:0.1.0 .
# and of an etcd as the tests run it:                docker build -t overland-etcd:0.1.0 --target etcd .
ARG NODE_IMAGE=node:24-bookworm-slim
ARG DEBIAN_IMAGE=debian:bookworm-slim

FROM ${NODE_IMAGE} AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc musl-tools \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
RUN npm run build
RUN npm prune --omit=dev

FROM ${DEBIAN_IMAGE} AS etcd
RUN apt-get update \
 && apt-get install -y --no-install-recommends etcd-server etcd-client \
 && rm -rf /var/lib/apt/lists/*
ENTRYPOINT ["etcd"]

FROM ${NODE_IMAGE}
# nft is the agent's; ip and ss are for whoever looks into a node.
RUN apt-get update \
 && apt-get install -y --no-install-recommends iproute2 nftables \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/overland
COPY --from=build /build/package.json ./
COPY --from=build /build/src/overland src/
COPY --from=build /build/node_modules node_modules
COPY --from=build /build/dist dist
RUN ln -s /opt/overland/src/overland /usr/local/bin/overland
ENV NODE_ENV=production
# Root, for the agent; the controller's manifest says another user, and needs none of root's rights.
ENTRYPOINT ["overland"]
