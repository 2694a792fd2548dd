#!/usr/bin/env bash
# Applies the support desk to the cluster that kubectl points at. It can be run again at any time.
#
#   IMAGE=registry.example.com/support-desk:0.1.0 knative/apply.sh [--dry-run] [--public]
#
#   --dry-run  print what would be applied, and touch nothing
#   --public   give the desk an address outside of the cluster as well; the token guards it then as before
#
# Secrets come from knative/secrets.yaml (see secrets.example.yaml), or are in the cluster already.

set -euo pipefail
cd "$(dirname "$0")"

NAMESPACE=support-desk
DRY_RUN=
PUBLIC=
problems=()

usage() { sed -n '4,9s/^# \{0,1\}//p' apply.sh; }

for argument in "$@"; do
  case $argument in
    --dry-run) DRY_RUN=yes ;;
    --public) PUBLIC=yes ;;
    -h | --help) usage; exit 0 ;;
    *) echo "apply.sh: unknown argument $argument" >&2; usage >&2; exit 2 ;;
  esac
done

say() { echo "==> $*" >&2; }
problem() { problems+=("$1"); }

# -- what is needed ------------------------------------------------------------------------------

check_image() {
  local image=${IMAGE:-}
  if [[ -z $image ]]; then
    problem "IMAGE is not set: build and push the image, then IMAGE=registry/name:tag $0 (docs/deploy.md)"
  elif [[ ! $image =~ ^[A-Za-z0-9./:@_-]+$ || ! ${image##*/} =~ [:@] || $image == *:latest ]]; then
    problem "IMAGE=$image: name it with a tag or a digest other than :latest, or no one knows what runs"
  elif [[ $image == registry.example.com/* && -z $DRY_RUN ]]; then
    problem "IMAGE=$image is the example's name; push to a registry that the cluster can read"
  fi
}

check_tools() {
  command -v kubectl >/dev/null || problem "kubectl is not installed: https://kubernetes.io/docs/tasks/tools/"
  command -v kn >/dev/null || problem "kn is not installed: https://knative.dev/docs/client/install-kn/"
}

check_secrets_file() {
  if [[ -f secrets.yaml ]] && grep -v '^ *#' secrets.yaml | grep -q CHANGE-ME; then
    problem "secrets.yaml still says CHANGE-ME: fill it in"
  fi
}

check_cluster() {
  local kind
  if ! kubectl version >/dev/null 2>&1; then
    problem "no cluster answers kubectl: choose one with kubectl config use-context NAME"
    return
  fi
  for kind in services.serving.knative.dev brokers.eventing.knative.dev triggers.eventing.knative.dev \
    pingsources.sources.knative.dev; do
    kubectl get crd "$kind" >/dev/null 2>&1 ||
      problem "the cluster lacks $kind: install Knative Serving and Eventing (https://knative.dev/docs/install/)"
  done
  if [[ ! -f secrets.yaml ]] && ! kubectl --namespace "$NAMESPACE" get secret support-desk >/dev/null 2>&1; then
    problem "there are no secrets: cp knative/secrets.example.yaml knative/secrets.yaml and fill it in"
  fi
}

stop_at_problems() {
  if ((${#problems[@]})); then
    echo "apply.sh: this is missing:" >&2
    printf '  - %s\n' "${problems[@]}" >&2
    exit 2
  fi
}

# -- applying ------------------------------------------------------------------------------------

token=DELIVERY_TOKEN # a dry run shows the placeholder

rendered() { # FILE: the manifest with the image and the token in their places, on stdout
  sed -e "s|registry.example.com/support-desk:0.1.0|$IMAGE|" -e "s|access_token=DELIVERY_TOKEN|access_token=$token|" "$1" |
    if [[ $PUBLIC && $1 == service.yaml ]]; then grep -v 'networking.knative.dev/visibility'; else cat; fi
}

apply() { # FILE
  if [[ $DRY_RUN ]]; then
    echo "# kubectl apply --filename $1"
    rendered "$1"
    echo "---"
  else
    rendered "$1" | kubectl apply --filename - # not through an argument: those are public
  fi
}

apply_service() { # NAME FILE
  if [[ $DRY_RUN ]]; then
    echo "# kn service apply $1 --namespace $NAMESPACE --filename $2"
    rendered "$2"
    echo "---"
    return
  fi
  rendered "$2" >"$folder/$2"
  kn service apply "$1" --namespace "$NAMESPACE" --filename "$folder/$2" --wait-timeout 300
}

# Knative's webhook refuses an EventPolicy where authentication-oidc is off, which is the default.
policies_are_taken() {
  local oidc
  if ! kubectl get crd eventpolicies.eventing.knative.dev >/dev/null 2>&1; then
    say "no event policy: this Knative is older than those; anybody in the cluster may send events to the Broker"
    return 1
  fi
  if ! oidc=$(kubectl --namespace knative-eventing get configmap config-features \
    --output 'jsonpath={.data.authentication-oidc}' 2>/dev/null); then
    say "no event policy: config-features of knative-eventing can't be read, so nobody knows whether it would be taken;" \
      "anybody in the cluster may send events to the Broker"
    return 1
  fi
  if [[ ${oidc,,} != enabled ]]; then
    say "no event policy: authentication-oidc is ${oidc:-not set} in config-features of knative-eventing;" \
      "anybody in the cluster may send events to the Broker. Where it is enabled, run this again (docs/deploy.md)"
    return 1
  fi
}

check_sink() { # late replies go where K_SINK says; a Broker of another class has another address
  local address
  address=$(kubectl --namespace "$NAMESPACE" get broker desk --output 'jsonpath={.status.address.url}')
  grep -q "value: $address " service.yaml && grep -q "value: $address " dead-letters.yaml ||
    say "the Broker is at ${address:-no address yet}: write that as K_SINK into service.yaml and dead-letters.yaml"
}

read_token() {
  token=$(kubectl --namespace "$NAMESPACE" get secret support-desk --output 'jsonpath={.data.delivery-token}' | base64 -d)
  if [[ ! $token =~ ^[A-Za-z0-9_-]{16,}$ ]]; then
    problem "the delivery-token in the Secret support-desk must be 16 or more letters, digits, - and _: it goes into URLs"
    stop_at_problems
  fi
}

check_image
check_tools
check_secrets_file
[[ ! $DRY_RUN && ${#problems[@]} -eq 0 ]] && check_cluster
stop_at_problems

if [[ ! $DRY_RUN ]]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
fi

say "namespace and secrets"
apply namespace.yaml
if [[ ! $DRY_RUN ]]; then
  [[ -f secrets.yaml ]] && kubectl apply --filename secrets.yaml
  read_token
fi
say "services"
apply_service dead-letters dead-letters.yaml
apply_service support-desk service.yaml
say "events"
apply broker.yaml
if [[ $DRY_RUN ]] || policies_are_taken; then
  apply eventpolicy.yaml
fi
apply trigger.yaml
apply pingsource.yaml
[[ $DRY_RUN ]] && exit 0

say "waiting until everything is ready"
kubectl --namespace "$NAMESPACE" wait --for condition=Ready --timeout 120s \
  broker/desk trigger/messages pingsource/sweep pingsource/sweep-dead-letters
check_sink
say "the desk is at $(kn service describe support-desk --namespace "$NAMESPACE" --output url)"
