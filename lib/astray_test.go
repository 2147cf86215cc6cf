//go:build linux

package lib_test

import (
	"strings"
	"testing"
)

// No variable has a template show the home directory, which is hidden for all that is in it.
func TestHomeStaysHidden(t *testing.T) {
	for template, names := range map[string]string{
		"go":      "GOBIN GOMODCACHE GOCACHE GOROOT",
		"python":  "PIP_CACHE_DIR UV_CACHE_DIR UV_TOOL_DIR VIRTUAL_ENV WORKON_HOME CONDA_PREFIX PYENV_ROOT",
		"node":    "npm_config_cache PNPM_HOME NVM_DIR FNM_DIR VOLTA_HOME",
		"rust":    "RUSTUP_HOME CARGO_TARGET_DIR",
		"java":    "JAVA_HOME M2_HOME SDKMAN_DIR",
		"gcloud":  "CLOUDSDK_CONFIG GOOGLE_APPLICATION_CREDENTIALS",
		"docker":  "DOCKER_CERT_PATH",
		"gh":      "GH_CONFIG_DIR",
		"network": "SSL_CERT_DIR",
		"claude":  "CLAUDE_CONFIG_DIR",
		"wayland": "XDG_RUNTIME_DIR",
		"audio":   "XDG_RUNTIME_DIR",
	} {
		for _, name := range strings.Fields(names) {
			for _, dir := range []string{"$H", "$H/", "$H/..", "$H/x/../.."} {
				_, err := evalBox(t, template+"()", "", name+"="+dir)
				if err == nil || !strings.Contains(err.Error(), "is the home directory, or holds it") && !strings.Contains(err.Error(), "no directory for sockets alone") {
					t.Errorf("%s, %s=%s: %v", template, name, dir, err)
				}
			}
		}
	}
	// Neither where it lies below a symbolic link.
	for _, dir := range []string{"$H", "$R/l", "$R/l/x/.."} {
		_, err := evalBox(t, "go()", "$R/l -> $H", "HOME=$R/l", "GOBIN="+dir)
		if err == nil || !strings.Contains(err.Error(), "is the home directory, or holds it") {
			t.Errorf("HOME is a link, %s: %v", dir, err)
		}
	}
	runBoxes(t, []boxTest{
		{`shell() # in a home that goes by two names`, "secret\nz -> .", "ZDOTDIR=$H/z", "no secret"},
		{`git() # settings without a value`, "secret\n.gitconfig: [core]\\n excludesFile =\\n attributesFile = \"\"\\n hooksPath\\n[commit]\\n template = # none\\n[include]\\n path =", "", "no secret\nro .gitconfig"},
		{`kube()`, "secret\nkubeconfig: client-key: \"\"\\ntokenFile:", "KUBECONFIG=$H/kubeconfig", "no secret\nro kubeconfig"},
		{`go()`, "secret\n.config/go/env: GOCACHE=off\\nGOPATH=~/go:rel\\nGOBIN=\\nGOMODCACHE=x", "", "no secret\nro .config/go/env"},
		{`docker()
dbus()`, "secret", "DOCKER_HOST=unix://secret DBUS_SESSION_BUS_ADDRESS=unix:path=;unix:path=secret", "no secret"},
		{`python()`, "secret\n.venv/", "VIRTUAL_ENV=/", "no secret"},
	})
}

// What lies in the project may be the work of a sandbox, and names nothing outside that is
// shown for that.
func TestProjectNamesNothing(t *testing.T) {
	runBoxes(t, []boxTest{
		{`kube()`, "$P/kubeconfig: client-key: $H/.ssh/id\\n\n.ssh/id", "KUBECONFIG=$P/kubeconfig", "rw $P/kubeconfig\nno .ssh"},
		{`git()`, "$P/gitconfig: [core]\\n excludesFile = $H/secret\\n[include]\\n path = $H/more\\n\nsecret\nmore\n.gitconfig -> $P/gitconfig", "", "rw $P/gitconfig\nno secret more"},
		{`ssh()`, "$P/config: Include id\\n\n.ssh/id\n.ssh/config -> $P/config", "", "own .ssh/config\nno .ssh/id"},
		{`go()`, "$P/env: GOBIN=$H/secret\\n\nsecret/x", "GOENV=$P/env", "rw $P/env\nno secret"},
		{`gh()`, "$P/bin/gh -> $H/bin/deploy\nbin/deploy: #!/bin/sh", "PATH=$P/bin:/usr/bin", "no bin"},
	})
}
