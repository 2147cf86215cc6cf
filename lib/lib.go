// Package lib is the standard library of sandbox scripts, embedded: modules that
// scripts load as "@sbx//NAME.star". Most are settings templates, each a function
// of its file's name that opens a sandbox for one tool; `sbx templates` lists them.
package lib

import (
	"embed"
	"slices"
	"strings"
)

//go:embed *.star
var files embed.FS

// Read returns the text of a module by its name, as in "ssh.star".
func Read(name string) ([]byte, error) { return files.ReadFile(name) }

// helpers are the modules that are no templates.
var helpers = [...]string{"agents.star", "desktop.star", "files.star", "run.star"}

// Templates returns the names of the settings templates, without ".star", sorted.
func Templates() []string {
	var list []string
	for _, name := range Names() {
		if !slices.Contains(helpers[:], name) {
			list = append(list, strings.TrimSuffix(name, ".star"))
		}
	}
	return list
}

// For returns the template for a program or service that has another name, or "".
func For(program string) string {
	switch strings.ToLower(program) {
	case "npm", "npx", "pnpm", "yarn", "bun", "nvm", "nodejs", "deno":
		return "node"
	case "pip", "pip3", "pipx", "uv", "pyenv", "conda", "poetry", "python3", "py":
		return "python"
	case "cargo", "rustc", "rustup":
		return "rust"
	case "golang":
		return "go"
	case "mvn", "maven", "gradle", "jdk", "sdkman":
		return "java"
	case "vi", "gvim":
		return "vim"
	case "nvim":
		return "neovim"
	case "kubectl", "helm", "k8s", "kubernetes":
		return "kube"
	case "gnupg", "gpg2":
		return "gpg"
	case "openssh", "ssh-agent":
		return "ssh"
	case "buildah", "skopeo":
		return "podman"
	case "docker-compose":
		return "docker"
	case "pulseaudio", "pulse", "pipewire", "alsa", "sound":
		return "audio"
	case "xorg", "x", "xwayland":
		return "x11"
	case "cuda", "nvidia", "opengl", "vulkan":
		return "gpu"
	case "gcp", "google-cloud-sdk":
		return "gcloud"
	case "bash", "zsh", "fish":
		return "shell"
	case "dns", "resolv", "tls", "certificates":
		return "network"
	case "claude-code":
		return "claude"
	case "gemini-cli":
		return "gemini"
	case "github":
		return "gh"
	}
	return ""
}

// Names returns the names of all modules, sorted.
func Names() []string {
	list, err := files.ReadDir(".")
	if err != nil {
		panic("sbx bug: " + err.Error())
	}
	names := make([]string, len(list))
	for i, e := range list {
		names[i] = e.Name()
	}
	return names
}
