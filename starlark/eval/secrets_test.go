package eval

import (
	"strings"
	"testing"
)

func TestSecrets(t *testing.T) {
	for _, kv := range strings.Fields(`GITHUB_TOKEN=x NPM_TOKEN= HF_TOKEN=x my_secret=x SECRET_BASE=x OPENAI_API_KEY=x APIKEY=x SSH_PRIVATE_KEY=x KEY=x
		PGPASSWORD=x DB_PASS=x MYSQL_PWD=x AWS_REGION=x AWS_ACCESS_KEY_ID=x AZURE_CLIENT_ID=x GOOGLE_APPLICATION_CREDENTIALS=x GITHUBTOKEN=x TOKEN=x
		STRIPE_KEY=x DB_PWD=x nexusPass=x SMTPPASS=x X=ghp_0123456789abcdefghij AUTHORIZATION=x GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=x GIT_CONFIG_VALUE_0=x
		npm_config_//registry.npmjs.org/:_authToken=x NODE_AUTH_TOKEN=x SESSION_COOKIE=x SENTRY_DSN=x GH_PAT=x DOCKER_AUTH_CONFIG=x
		DATABASE_URL=postgres://u:p@h/d HTTPS_PROXY=http://u:p@proxy:3128 X=redis://:p@h
		API_KEY2=x TOKEN2=x GH_PAT_WORK=x DB_PASS_PROD=x DB_PW=x DB_PW2=x DB_PWD_PROD=x nexusPw=x CREDS=x REG_CRED=x SENTRY_DSN_PROD=x NPM_CONFIG_OTP=1
		SLACK_WEBHOOK_URL=x DEPLOY_WEBHOOK=x URL=https://hooks.slack.com/services/T/B/x SONAR_LOGIN=x DIRENV_DIFF=x GPG_KEY=LS0tLS1CRUdJTiBQR1A
		GOPROXY=https://proxy.golang.org,https://u:p@goproxy.example.com GOPROXY=https://proxy.golang.org,https://tok@goproxy.example.com,direct
		PYPI_URL=https://tok@pypi.example.com/ http_proxy=u:p@proxy:3128 HTTPS_PROXY=tok@proxy:3128 PROXY_URL=u:p@proxy
		MAVEN_OPTS=-Dhttp.proxyPassword=x JAVA_TOOL_OPTIONS=-Djavax.net.ssl.keyStorePassword=x MAVEN_OPTS=-Xmx1g;-Dsonar.login=x GRADLE_OPTS=-Pkey=x
		MAVEN_OPTS=-Dproxy=http://u:p@proxy CONN=Server=x;Password=x CONN=Server=x;Uid=sa;Pwd=x JDBC=jdbc:postgresql://h/d?user=u&password=x NIX_CONFIG=access-tokens=git.example.com=x
		NIX_PATH=nixpkgs=https://u:p@h
		SSH_AUTH_SOCK=x SSH_AGENT_PID=1 DBUS_SESSION_BUS_ADDRESS=x DISPLAY=:0 WAYLAND_DISPLAY=x DOCKER_HOST=x TMUX=x KUBECONFIG=x VSCODE_IPC_HOOK_CLI=x SWAYSOCK=x`) {
		name, value, _ := strings.Cut(kv, "=")
		if !IsSecretEnv(name, value) {
			t.Errorf("%s enters", kv)
		}
	}
	for _, kv := range []string{"PIP_EXTRA_INDEX_URL=https://pypi.org/simple https://u:p@host/simple", "NIX_CONFIG=x = y\naccess-tokens = git.example.com=x",
		"MAVEN_OPTS=-Xmx1g -Dnexus.pw=x", "BASH_FUNC_f%%=() { export TOKEN=x\n}", `DOCKER_PROXIES={"httpProxy":"u:p@proxy"}`} {
		name, value, _ := strings.Cut(kv, "=")
		if !IsSecretEnv(name, value) {
			t.Errorf("%s enters", kv)
		}
	}
	for _, kv := range strings.Fields(`PATH=/bin HOME=/h PWD=/ OLDPWD=/x TOKENIZERS_PARALLELISM=1 KEYBOARD=us HTTP_PROXY=http://proxy:3128 GOPATH=/go
		TERM=xterm LANG=C XKB_LAYOUT=us EDITOR=vi COMPASS=x MONKEY=x URL=https://h/a@b:c AUTHOR=me GIT_AUTHOR_NAME=x BYPASS=1 XDG_RUNTIME_DIR=/run/user/1 SHELL=/bin/sh
		X=ssh://user@host X=https://git@host SOCKS_PROXY=socks5://h:1 PINENTRY_USER_DATA=x GIT_CONFIG_GLOBAL=x
		KEYMAP=us KEYTIMEOUT=1 XKB_DEFAULT_OPTIONS=compose:ralt GPG_KEY=E3FF2839C048B25C084DEBE9B26995E310250568 GPG_TTY=/dev/pts/1 PASSWORD_STORE_DIR=/h/.pw PASSWORD_STORE_CLIP_TIME=45
		LS_COLORS=rs=0:di=01;34:*.key=01;31:*.pass=0 EZA_COLORS=*.key=1 LF_ICONS=*.key=x GREP_COLORS=mt=01;31 http_proxy=http://proxy:3128 https_proxy=proxy:3128 no_proxy=localhost,.example.com
		GOPROXY=https://proxy.golang.org,direct GOFLAGS=-mod=mod PATH=/opt/key:/opt/token/bin MAX_OUTPUT_TOKENS=4096 CLAUDE_CODE_MAX_OUTPUT_TOKENS=1 PATTERN=x COMPAT=1 PWDEBUG=1 PW_TEST_X=1
		PASSENGER_ENV=x OTP_VERSION=27 PINGER=x CREDO=x COOKIECUTTER_CONFIG=/h/c STARSHIP_SESSION_KEY=1 JAVA_OPTS=-Dfile.encoding=UTF-8 MAVEN_OPTS=-Dhttp.proxyHost=proxy
		GRADLE_OPTS=-Dorg.gradle.daemon=false XMODIFIERS=@im=fcitx CONN=Server=x;Database=d WEBHOOK_PORT=80 LESSOPEN=|lesspipe TZ=UTC INFOPATH=/i AUTHORS=x LOGNAME=me MAIL=me@example.com
		SSH_CONNECTION=1 SSH_TTY=/x GIT_SSH_COMMAND=ssh;-o;PasswordAuthentication=no DEBUGINFOD_URLS=https://debuginfod.example.com npm_config_user_agent=npm/8 FZF_DEFAULT_OPTS=--bind=ctrl-k:up`) {
		name, value, _ := strings.Cut(kv, "=")
		if IsSecretEnv(name, value) {
			t.Errorf("%s is kept out", kv)
		}
	}
}

func TestSecretLines(t *testing.T) {
	for line := range strings.Lines(`PATH=/bin; export GITHUB_TOKEN=x
export A=1 B_TOKEN=2
export STRIPE_KEY=x
DB_PASS='x'
DB_PASS="x y"
  # export DB_PASS=x
alias x='API_TOKEN=x cmd'
run --token=x
setenv MY_TOKEN x
set -gx MY_TOKEN x
export TOKEN=$'x'
//registry.example.com/:_authToken=x
_auth = x
npmAuthToken: "x"
password: x
token:
{"token":"x"}
token = "x"
x = { index = "i", token = "x" }
smtppass = x
extraheader = Authorization: Basic x
helper = "!f() { echo password=x; }; f"
index-url = https://u:p@example.com/simple
index-url = https://token@example.com/simple
[url "https://me:pw@example.com/"]
<nexusPass>x</nexusPass>
<password>
nexusPass=x
nexus.password : x
access-tokens = github.com=x
curl -H "Authorization: Bearer x"
x ghp_0123456789abcdefghij y
-----BEGIN OPENSSH PRIVATE KEY-----
MY_KEY+=x
MY_TOKENS=(x y)
MY_TOKENS=(
otp=123456
proxy=u:p@proxy:3128
proxy = "u:p@proxy:80"
"httpProxy": "u:p@proxy:80"
nexusPw=x
<corp.pw>x</corp.pw>
<sonar.login>x</sonar.login>
export DB_PW=x
export GITHUB_TOKEN="${GITHUB_TOKEN:-x}"
export GITHUB_TOKEN="${GH:-x}"
: ${GITHUB_TOKEN-x}
: "${API_KEY:=x}"
: "${API_KEY="x"}"
tokens[gh]=x
conf["password"]='x'
read -r API_KEY <<< "x"
read -r API_KEY <<'E'
printf -v TOKEN '%s' x
printf -v TOKEN x
export TOKEN=""x
export TOKEN="""x"
export TOKEN=''"x"
TOKEN=$(cat <<E
TOKEN="$(cat <<-'E'
TOKEN=$(base64 -d <<< x)
TOKEN=` + "`echo x`" + `
TOKEN="$(printf %s x)"
set -gx API_KEY (echo x)
npmAuthToken: >-
export MAVEN_OPTS=-Dhttp.proxyPassword=x
alias q='curl -u u:x https://h/'
q() { curl --user "u:x" h; }
curl -sS --user=u:x h
curl -uu:x h
wget --password x h
alias db='mysql -u root -px shop'
sshpass -p x ssh h
sshpass -px ssh h
docker login --password x
gh auth --token x
helper = "!curl -u u:x h"
redis-cli -a x
`) {
		if !HoldsSecret(strings.TrimSuffix(line, "\n")) {
			t.Errorf("%q holds none", line)
		}
	}
	for line := range strings.Lines(`
export PATH=/bin
alias q='curl -u "$U:$P" h'
alias q='curl -u u h'
curl -u "u:$(pass x)" h
curl --user-agent x:y h
alias md='mkdir -p x'
mysql -p shop
mysql -u root -p
curl h | tee -u a:b
docker login --password-stdin x
gh auth --token "$T"
x --token
x --token --other
sshpass -e ssh h
sshpass -f file ssh h
export GPG_TTY=$(tty)
export MY_TOKEN=$(pass token)
local key="$1"
MY_TOKEN=
DB_PASS=""
if [ -z "$MY_TOKEN" ]; then
if [ "$MY_TOKEN" = x ]; then
: "${MY_TOKEN:?not set}" ${MY_TOKEN:-} ${MY_TOKEN=$x} ${MY_TOKEN:-"$x"} ${MY_TOKEN+--token} ${PAGER:-less}
bindkey '^X' edit
KEYTIMEOUT=1
key[Home]="${terminfo[khome]}"
signingkey = ABC
insteadOf = ssh://git@example.com/
[url "ssh://deploy@example.com/"]
url = https://git@example.com/
//registry.example.com/:_authToken=${NPM_TOKEN}
proxy = http://proxy:3128
email = me@example.com
helper = store --file ~/.x
org.gradle.jvmargs=-Xmx2g
<mirror>x</mirror>
sk-learn task-0123456789abcdefghij
alias tok='echo'
set -l token (commandline -ct)
keys=(${values%%:*})
MY_KEYS=($a $b)
key=(
set -o vi
local key="${1:-x}"
while read -r key value; do echo "$key"; done <<E
read -r TOKEN < file
read -r TOKEN <<< "$(pass token)"
read -r -s TOKEN
printf -v TOKEN '%s' "$x"
TOKEN=""$x
TOKEN="" cmd
{"token": "", "x": 1}
password = ""
TOKEN=$(echo "$x" | cut -d: -f1)
key[Home]="^[[H"
ssh -o PasswordAuthentication=no
alias pwd='pwd -P'
cd x; PWD=/y
use_token: true
proxy = proxy:80
http_proxy=$PROXY_USER:$PROXY_PW@proxy:80
no_proxy=localhost,.example.com
shift_by=$((1<<2))
ZLS_COLORS="x"
`) {
		if HoldsSecret(strings.TrimSuffix(line, "\n")) {
			t.Errorf("%q holds one", line)
		}
	}
}
