#!/bin/sh
# Makes what kustomization.yaml beside it takes: an authority, certificates of etcd and of its clients, the members, and
# the agents' settings.
#
#   make-certificates.sh NODE=ADDRESS...      one, three or five nodes, by their names in the cluster
#
# What is there already stays: run again, it makes new certificates of the same authority (delete server*.pem and
# client*.pem first), and never a new authority unless certificates/ca-key.pem is gone.
set -eu
cd "$(dirname "$0")"

if [ $# -eq 0 ]; then
  echo "make-certificates.sh NODE=ADDRESS...: say which nodes run etcd, such as cp1=10.1.1.1 cp2=10.1.1.2 cp3=10.1.1.3" >&2
  exit 2
fi
DAYS=${DAYS:-3650}
names=DNS:localhost,IP:127.0.0.1
members=
endpoints=
for member in "$@"; do
  node=${member%%=*}
  address=${member#*=}
  case $member in
    ?*=?*.?*.?*.?*) ;;
    *)
      echo "make-certificates.sh: '$member' is not NODE=ADDRESS with an IPv4 address" >&2
      exit 2
      ;;
  esac
  names=$names,DNS:$node,IP:$address
  members=$members${members:+,}$node=https://$address:12380
  endpoints=$endpoints${endpoints:+, }https://$address:12379
done
[ $(($# % 2)) -eq 1 ] || echo "make-certificates.sh: warning: $# members survive no more failures than $(($# - 1)) would" >&2

umask 077
mkdir -p certificates
key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }

if [ ! -f certificates/ca-key.pem ]; then
  key certificates/ca-key.pem
  openssl req -x509 -new -key certificates/ca-key.pem -sha256 -days "$DAYS" -subj "/CN=overland etcd authority" \
    -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign" \
    -out certificates/ca.pem
fi

# signed FILE COMMON-NAME USAGES [SUBJECT-NAMES]
signed() {
  [ ! -f "certificates/$1.pem" ] || return 0
  key "certificates/$1-key.pem"
  {
    echo "basicConstraints=critical,CA:FALSE"
    echo "keyUsage=critical,digitalSignature"
    echo "extendedKeyUsage=$3"
    [ -z "${4:-}" ] || echo "subjectAltName=$4"
  } >"certificates/$1.ext"
  openssl req -new -key "certificates/$1-key.pem" -subj "/CN=$2" |
    openssl x509 -req -CA certificates/ca.pem -CAkey certificates/ca-key.pem -set_serial "0x$(openssl rand -hex 16)" \
      -sha256 -days "$DAYS" -extfile "certificates/$1.ext" -out "certificates/$1.pem" 2>/dev/null
  rm "certificates/$1.ext"
}
# A member is a client of the others, too.
signed server overland-etcd serverAuth,clientAuth "$names"
signed client overland clientAuth

cat >members.env <<END
INITIAL_CLUSTER=$members
INITIAL_CLUSTER_STATE=new
END
cat >agent.yaml <<END
etcd:
  endpoints: [$endpoints]
  caCertFile: /etc/overland-etcd/ca.pem
  certFile: /etc/overland-etcd/client.pem
  keyFile: /etc/overland-etcd/client-key.pem
cni:
  confDir: /host/etc/cni/net.d
  binDir: /host/opt/cni/bin
  template: /etc/overland/network.conflist
END
echo "wrote certificates/, members.env and agent.yaml for $#: keep certificates/ca-key.pem, and out of version control"
for member in "$@"; do echo "kubectl label node ${member%%=*} overland.dev/etcd="; done
