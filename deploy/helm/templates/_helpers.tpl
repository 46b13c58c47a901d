{{- define "latchkey.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "latchkey.labels" -}}
app.kubernetes.io/name: latchkey
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "latchkey.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* The host of LATCHKEY_PUBLIC_URL. */}}
{{- define "latchkey.host" -}}
{{- (urlParse (index .Values.settings "LATCHKEY_PUBLIC_URL")).hostname -}}
{{- end -}}

{{/* A value as the text of a variable: 1000000, not 1e+06. */}}
{{- define "latchkey.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}
{{- int64 . -}}
{{- else -}}
{{- toString . -}}
{{- end -}}
{{- end -}}

{{/* How many connections to Postgres all programs may open while they are updated: docs/scaling.md. */}}
{{- define "latchkey.connections" -}}
{{- $webs := ternary .Values.web.autoscaling.maxReplicas .Values.web.replicas .Values.web.autoscaling.enabled -}}
{{- add (mul 20 (add1 $webs)) (mul 16 (add1 .Values.worker.replicas)) 4 -}}
{{- end -}}

{{/* Variables that aren't secret, of web and worker. */}}
{{- define "latchkey.settings" -}}
LATCHKEY_HOST: 0.0.0.0
LATCHKEY_PORT: "8000"
LATCHKEY_DRAIN_SECONDS: {{ include "latchkey.text" .Values.web.drainSeconds | quote }}
LATCHKEY_CODEC_HOST: 0.0.0.0
LATCHKEY_CODEC_PORT: "8234"
LATCHKEY_WORKER_METRICS_HOST: 0.0.0.0
LATCHKEY_WORKER_METRICS_PORT: "9464"
LATCHKEY_LOG_FORMAT: json
TEMPORAL_ADDRESS: {{ .Values.temporal.address | quote }}
TEMPORAL_NAMESPACE: {{ .Values.temporal.namespace | quote }}
{{- with .Values.temporal.tls }}
{{- if .enabled }}
TEMPORAL_TLS: "true"
{{- if .serverName }}
TEMPORAL_TLS_SERVER_NAME: {{ .serverName | quote }}
{{- end }}
{{- if .secretName }}
TEMPORAL_TLS_SERVER_CA_CERT_PATH: /run/secrets/temporal/ca.crt
{{- if .clientCertificate }}
TEMPORAL_TLS_CLIENT_CERT_PATH: /run/secrets/temporal/tls.crt
TEMPORAL_TLS_CLIENT_KEY_PATH: /run/secrets/temporal/tls.key
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- if .Values.pictures.volume.enabled }}
{{- if hasKey .Values.settings "LATCHKEY_PICTURES" }}
{{- fail "pictures.volume puts pictures on a volume, and settings.LATCHKEY_PICTURES elsewhere: choose one of the two" }}
{{- end }}
LATCHKEY_PICTURES: /srv/pictures
{{- end }}
{{- range $name, $value := .Values.settings }}
{{ $name }}: {{ include "latchkey.text" $value | quote }}
{{- end }}
{{- end -}}

{{/* The secrets that a program reads: those of `wanted` are required, those of `optional` may be
     missing from the Secret. */}}
{{- define "latchkey.secrets" -}}
{{- $root := .root -}}
{{- $from := $root.Values.secrets.from -}}
name: secrets
projected:
  defaultMode: 0440
  sources:
    {{- $apart := list }}
    {{- range $names := list .wanted .optional }}
    {{- range $name := $names }}
    {{- if hasKey $from $name }}{{ $apart = append $apart $name }}{{ end }}
    {{- end }}
    {{- end }}
    {{- range $index, $names := list .wanted .optional }}
    {{- $here := list }}
    {{- range $name := $names }}
    {{- if not (has $name $apart) }}{{ $here = append $here $name }}{{ end }}
    {{- end }}
    {{- if $here }}
    - secret:
        name: {{ $root.Values.secrets.name | quote }}
        {{- if $index }}
        optional: true
        {{- end }}
        items:
          {{- range $here }}
          - {key: {{ . }}, path: {{ . }}}
          {{- end }}
    {{- end }}
    {{- end }}
    {{- range $apart }}
    - secret:
        name: {{ (index $from .).name | quote }}
        items:
          - {key: {{ (index $from .).key | quote }}, path: {{ . }}}
    {{- end }}
{{- end -}}

{{/* What all pods have in common. */}}
{{- define "latchkey.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Of each container: image, confinement, and where secrets are. */}}
{{- define "latchkey.container" -}}
image: {{ include "latchkey.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{- define "latchkey.mounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: secrets, mountPath: /run/secrets/latchkey, readOnly: true}
{{- if .Values.postgres.caSecretName }}
- {name: postgres-ca, mountPath: /run/secrets/postgres, readOnly: true}
{{- end }}
{{- end -}}

{{- define "latchkey.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 256Mi}
{{- if .Values.postgres.caSecretName }}
- name: postgres-ca
  secret:
    secretName: {{ .Values.postgres.caSecretName | quote }}
    items: [{key: ca.crt, path: ca.crt}]
{{- end }}
{{- end -}}

{{- define "latchkey.temporal.mount" -}}
{{- if .Values.temporal.tls.secretName }}
- {name: temporal-tls, mountPath: /run/secrets/temporal, readOnly: true}
{{- end }}
{{- end -}}

{{- define "latchkey.temporal.volume" -}}
{{- if .Values.temporal.tls.secretName }}
- name: temporal-tls
  secret: {secretName: {{ .Values.temporal.tls.secretName | quote }}, defaultMode: 0440}
{{- end }}
{{- end -}}

{{/* The claim of the volume with pictures. */}}
{{- define "latchkey.pictures" -}}
{{- .Values.pictures.volume.claimName | default (printf "%s-pictures" (include "latchkey.name" .)) -}}
{{- end -}}

{{- define "latchkey.pictures.mount" -}}
{{- if .Values.pictures.volume.enabled }}
- {name: pictures, mountPath: /srv/pictures}
{{- end }}
{{- end -}}

{{- define "latchkey.pictures.volume" -}}
{{- if .Values.pictures.volume.enabled }}
- name: pictures
  persistentVolumeClaim: {claimName: {{ include "latchkey.pictures" . | quote }}}
{{- end }}
{{- end -}}

{{- define "latchkey.spread" -}}
{{- $labels := dict "matchLabels" (merge (include "latchkey.labels" .root | fromYaml) (dict "app.kubernetes.io/component" .component)) -}}
topologySpreadConstraints:
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector: {{- toYaml $labels | nindent 6 }}
{{- end }}
{{- end -}}
