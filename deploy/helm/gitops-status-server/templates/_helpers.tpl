{{/* The name of the Service and the other objects: the release's, if it names the chart. */}}
{{- define "gitops-status-server.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains "gitops-status-server" .Release.Name -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-gitops-status-server" .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels by which Services, policies and Deployments find pods. Takes a dict of root and component. */}}
{{- define "gitops-status-server.selector" -}}
app.kubernetes.io/name: gitops-status-server
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Labels and annotations of every object. Takes a dict of root and component, and of annotations of the object's own. */}}
{{- define "gitops-status-server.metadata" -}}
labels:
  {{- include "gitops-status-server.selector" . | nindent 2 }}
  app.kubernetes.io/part-of: gitops-status
  app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
  app.kubernetes.io/managed-by: {{ .root.Release.Service }}
  helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
  {{- with merge (dict) (.labels | default dict) .root.Values.labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (.annotations | default dict) .root.Values.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Labels and annotations of pods. Takes a dict of root and component, and of annotations of the pod's own. */}}
{{- define "gitops-status-server.podMetadata" -}}
labels:
  {{- include "gitops-status-server.selector" . | nindent 2 }}
  app.kubernetes.io/part-of: gitops-status
  {{- with merge (dict) .root.Values.podLabels .root.Values.labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (.annotations | default dict) .root.Values.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The image of the server. */}}
{{- define "gitops-status-server.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository (.tag | default $.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The settings of the server that are not its defaults, as YAML. */}}
{{- define "gitops-status-server.settings" -}}
{{- $settings := dict "host" "0.0.0.0" "port" 8080 "dataDir" "/data" -}}
{{- if .Values.tokens.existingSecret -}}
{{- $_ := set $settings "tokensFile" "/etc/gitops-status-server/tokens.json" -}}
{{- end -}}
{{- if .Values.ingress.enabled -}}
{{- /* One proxy in front: its X-Forwarded-For has the address of the client. */ -}}
{{- $_ := set $settings "trustProxy" 1 -}}
{{- end -}}
{{- range $name, $value := .Values.settings -}}
{{- $_ := set $settings $name $value -}}
{{- end -}}
{{- toYaml $settings -}}
{{- end -}}

{{/* The variables of the server: STALE_AFTER for staleAfter. */}}
{{- define "gitops-status-server.env" -}}
{{- $env := list -}}
{{- range $name, $value := fromYaml (include "gitops-status-server.settings" .) -}}
{{- $text := toString $value -}}
{{- if kindIs "slice" $value -}}
{{- $text = join "," $value -}}
{{- else if or (kindIs "float64" $value) (kindIs "int64" $value) -}}
{{- /* 1200000 as a number would be written as 1.2e+06. */ -}}
{{- $text = int64 $value | toString -}}
{{- end -}}
{{- $env = append $env (dict "name" ($name | snakecase | upper) "value" $text) -}}
{{- end -}}
{{- toYaml (concat $env .Values.extraEnv) -}}
{{- end -}}

{{/* What the server's address in the cluster begins with. */}}
{{- define "gitops-status-server.url" -}}
{{- $port := int .Values.service.port -}}
http://{{ include "gitops-status-server.fullname" . }}.{{ .Release.Namespace }}.svc{{ if ne $port 80 }}:{{ $port }}{{ end }}
{{- end -}}

{{/* The address of the status page for browsers: the ingress, or a forwarded port. */}}
{{- define "gitops-status-server.page" -}}
{{- if .Values.grafana.statusPage -}}
{{- .Values.grafana.statusPage -}}
{{- else if .Values.ingress.enabled -}}
http{{ if .Values.ingress.tlsSecret }}s{{ end }}://{{ .Values.ingress.host }}
{{- else -}}
http://127.0.0.1:8080
{{- end -}}
{{- end -}}

{{- define "gitops-status-server.claim" -}}
{{- .Values.persistence.existingClaim | default (include "gitops-status-server.fullname" .) -}}
{{- end -}}

{{- define "gitops-status-server.serviceAccount" -}}
{{- if .Values.serviceAccount.name -}}
{{- .Values.serviceAccount.name -}}
{{- else if .Values.serviceAccount.create -}}
{{- include "gitops-status-server.fullname" . -}}
{{- else -}}
default
{{- end -}}
{{- end -}}

{{/* What all pods have in common. Takes a dict of root, and of the volume's group, if the pod has the volume. */}}
{{- define "gitops-status-server.pod" -}}
serviceAccountName: {{ include "gitops-status-server.serviceAccount" .root }}
automountServiceAccountToken: false
# Otherwise Kubernetes sets GITOPS_STATUS_SERVER_PORT and similar variables for every Service.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  {{- with .root.Values.securityContext }}
  {{- if hasKey . "runAsUser" }}
  runAsUser: {{ int64 .runAsUser }}
  {{- end }}
  {{- if hasKey . "runAsGroup" }}
  runAsGroup: {{ int64 .runAsGroup }}
  {{- end }}
  {{- if and $.writesVolume (hasKey . "fsGroup") }}
  fsGroup: {{ int64 .fsGroup }}
  fsGroupChangePolicy: OnRootMismatch
  {{- end }}
  {{- end }}
  seccompProfile:
    type: RuntimeDefault
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{- define "gitops-status-server.restricted" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Several pods on different nodes, if there are several nodes. Takes a dict of root and component. */}}
{{- define "gitops-status-server.spread" -}}
{{- if .root.Values.topologySpreadConstraints -}}
{{- toYaml .root.Values.topologySpreadConstraints -}}
{{- else -}}
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "gitops-status-server.selector" . | nindent 6 }}
{{- end -}}
{{- end -}}
