package eval

// Which variables of the caller's environment are not for a sandbox: secrets,
// and the ways to the host's agents, displays and daemons.

import (
	"strings"

	"go.starlark.net/starlark"

	"sbx/engine/plan"
)

// IsSecretEnv reports whether a variable is one that unset_secrets() removes.
func IsSecretEnv(name, value string) bool {
	return IsSecretName(name) || leadsOut(strings.ToUpper(name)) || hasPassword(value) || hasToken(value)
}

// IsSecretName reports whether the name of a variable, or of a setting in a file,
// is that of a secret.
func IsSecretName(name string) bool {
	u := strings.ToUpper(name)
	for _, part := range [...]string{"SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "APIKEY", "ACCESSKEY", "PRIVATEKEY", "CONNECTION_STRING", "COOKIE"} {
		if strings.Contains(u, part) {
			return true
		}
	}
	for _, family := range [...]string{"AWS_", "AZURE_", "VAULT_", "OP_SESSION_", "DOCKER_AUTH",
		"GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_", "GIT_CONFIG_PARAMETERS"} { // settings with headers; all or none
		if strings.HasPrefix(u, family) {
			return true
		}
	}
	// By whole words: TOKENIZERS_PARALLELISM and KEYBOARD are no secrets.
	last := ""
	for rest := u; rest != ""; {
		i := strings.IndexAny(rest, "_.-:/")
		word := rest
		if i >= 0 {
			word, rest = rest[:i], rest[i+1:]
		} else {
			rest = ""
		}
		switch word {
		case "KEY", "KEYS", "TOKEN", "TOKENS", "BEARER", "JWT", "AUTHORIZATION":
			return true
		case "":
		default:
			if strings.HasSuffix(word, "TOKEN") {
				return true
			}
		}
		if word != "" {
			last = word
		}
	}
	switch last {
	case "AUTH", "PAT", "PIN", "DSN":
		return true
	case "PWD":
		return strings.HasSuffix(u, "_PWD")
	case "BYPASS", "COMPASS":
		return false
	}
	return strings.HasSuffix(last, "PASS")
}

// leadsOut reports whether the variable of that upper-case name tells a way to
// something of the host's that the sandbox shall not reach.
func leadsOut(u string) bool {
	if strings.HasSuffix(u, "SOCK") || strings.HasSuffix(u, "SOCKET") || strings.HasPrefix(u, "DBUS_") || strings.HasPrefix(u, "VSCODE_") {
		return true
	}
	switch u {
	case "SSH_AGENT_PID", "SSH_ASKPASS", "SUDO_ASKPASS", "GIT_ASKPASS", "GPG_AGENT_INFO", "GNOME_KEYRING_CONTROL", "KRB5CCNAME",
		"DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "SESSION_MANAGER", "ICEAUTHORITY", "PULSE_SERVER", "PIPEWIRE_REMOTE", "AT_SPI_BUS_ADDRESS",
		"DOCKER_HOST", "DOCKER_CONTEXT", "CONTAINER_HOST", "KUBECONFIG", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES",
		"TMUX", "TMUX_PANE", "STY", "KITTY_LISTEN_ON", "NVIM", "NVIM_LISTEN_ADDRESS", "HYPRLAND_INSTANCE_SIGNATURE":
		return true
	}
	return false
}

// hasPassword reports whether a value is a URL with a password in it.
func hasPassword(value string) bool {
	_, rest, ok := strings.Cut(value, "://")
	if !ok {
		return false
	}
	_, password := login(rest)
	return password != ""
}

// login returns the user and the password of a URL, after its "://".
func login(rest string) (user, password string) {
	if i := strings.IndexAny(rest, "/?# \t\"'<>"); i >= 0 {
		rest = rest[:i]
	}
	at := strings.LastIndexByte(rest, '@')
	if at < 0 {
		return "", ""
	}
	user, password, _ = strings.Cut(rest[:at], ":")
	return user, password
}

func fnUnsetSecrets(c *call) (starlark.Value, error) {
	for _, kv := range c.ev.opt.Host.Environ() {
		name, value, ok := strings.Cut(kv, "=")
		if ok && name != "" && IsSecretEnv(name, value) {
			if err := c.env(plan.EnvOp{Kind: plan.UnsetEnv, Name: plan.Str(name)}); err != nil {
				return nil, err
			}
		}
	}
	return starlark.None, nil
}
