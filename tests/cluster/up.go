package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

//go:embed stages/node.yaml
var nodeStages string

//go:embed stages/pod.yaml
var podStages string

const (
	usage = `usage: cluster up [FLAGS]

Starts a control plane on free loopback ports, prints one line of JSON when it is ready, and ends
it on SIGINT, SIGTERM or (with --with-stdin) when its standard input ends. SIGUSR1 kills the API
server and starts it anew.
`
	// How long a part may take until it answers.
	patience = 60 * time.Second
	// How long a part may take to end before it is killed.
	grace = 10 * time.Second
	admin = "admin"
)

// The line that says that the cluster is ready.
type ready struct {
	Server      string            `json:"server"`
	Kubeconfig  string            `json:"kubeconfig"`  // of the administrator
	Kubeconfigs map[string]string `json:"kubeconfigs"` // of each --user
	Tokens      map[string]string `json:"tokens"`      // the administrator's, and of each --user
	Kubectl     string            `json:"kubectl"`
	Pids        map[string]int    `json:"pids"`
}

type names []string

func (n *names) String() string         { return strings.Join(*n, ",") }
func (n *names) Set(value string) error { *n = append(*n, value); return nil }

// A part that ended by itself.
type ended struct {
	name string
	err  error
}

// All that runs.
type cluster struct {
	dir   string
	ended chan ended
	parts []*exec.Cmd
	args  map[string][]string
	ready ready
}

func supervise(args []string) int {
	flags := flag.NewFlagSet("cluster up", flag.ExitOnError)
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage); flags.PrintDefaults() }
	if len(args) == 0 || args[0] != "up" {
		flags.Usage()
		return 2
	}
	var users, files names
	flags.Var(&users, "user", "a user without rights, who gets a token and a kubeconfig; repeatable")
	flags.Var(&files, "apply", "a manifest to apply once the cluster is ready; repeatable")
	dir := flags.String("dir", "", "where it keeps its files (default: a folder that is removed afterwards)")
	withStdin := flags.Bool("with-stdin", false, "ends when standard input does")
	_ = flags.Parse(args[1:])

	stop := make(chan string, 1)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() { stop <- (<-signals).String() }()
	if *withStdin {
		go func() { _, _ = io.Copy(io.Discard, os.Stdin); stop <- "end of input" }()
	}

	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGUSR1)

	c := &cluster{dir: *dir, ended: make(chan ended, 8), args: map[string][]string{}}
	if c.dir == "" {
		made, err := os.MkdirTemp("", "farthing-cluster-")
		if err != nil {
			return fail(err)
		}
		c.dir = made
		defer os.RemoveAll(made)
	}
	// The parts run by themselves, and kubeconfigs are read from anywhere.
	if absolute, err := filepath.Abs(c.dir); err == nil {
		c.dir = absolute
	}
	defer c.stop()
	started := make(chan error, 1)
	go func() { started <- c.start(users, files) }()
	select {
	case err := <-started:
		if err != nil {
			return fail(err)
		}
	case end := <-c.ended:
		return fail(c.why(end))
	case <-stop:
		return 0
	}
	line, err := json.Marshal(c.ready)
	if err != nil {
		return fail(err)
	}
	fmt.Println(string(line))
	killed := ""
	for {
		select {
		case end := <-c.ended:
			if end.name != killed {
				return fail(c.why(end))
			}
			killed = ""
			c.parts = remove(c.parts, end.name)
			if err := c.run(end.name, c.args[end.name]...); err != nil {
				return fail(err)
			}
		case <-again:
			killed = "kube-apiserver"
			if err := syscall.Kill(c.ready.Pids[killed], syscall.SIGKILL); err != nil {
				return fail(err)
			}
		case <-stop:
			return 0
		}
	}
}

func fail(err error) int {
	fmt.Fprintf(os.Stderr, "cluster: %v\n", err)
	return 1
}

// start brings up every part in order and waits until the API answers.
func (c *cluster) start(users, files names) error {
	ports, err := freePorts(5)
	if err != nil {
		return err
	}
	etcd := fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	peer := fmt.Sprintf("http://127.0.0.1:%d", ports[1])
	c.ready.Server = fmt.Sprintf("https://127.0.0.1:%d", ports[2])
	c.ready.Tokens, c.ready.Kubeconfigs = map[string]string{}, map[string]string{}
	c.ready.Pids = map[string]int{}
	if err := c.prepare(users); err != nil {
		return err
	}
	if err := c.run("etcd", "--data-dir="+c.path("etcd"), "--listen-client-urls="+etcd,
		"--advertise-client-urls="+etcd, "--listen-peer-urls="+peer,
		"--initial-advertise-peer-urls="+peer, "--initial-cluster=default="+peer,
		"--unsafe-no-fsync", "--log-level=error"); err != nil {
		return err
	}
	if err := c.run("kube-apiserver", "--etcd-servers="+etcd,
		fmt.Sprintf("--secure-port=%d", ports[2]), "--bind-address=127.0.0.1",
		"--cert-dir="+c.path("certificates"), "--token-auth-file="+c.path("tokens.csv"),
		"--authorization-mode=RBAC", "--disable-admission-plugins=ServiceAccount",
		"--service-account-key-file="+c.path("service-account.key"),
		"--service-account-signing-key-file="+c.path("service-account.key"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-cluster-ip-range=10.0.0.0/24"); err != nil {
		return err
	}
	if err := c.untilReady(); err != nil {
		return err
	}
	if err := c.kubeconfigs(); err != nil {
		return err
	}
	for at, name := range []string{"kube-controller-manager", "kube-scheduler"} {
		own := []string{"--kubeconfig=" + c.ready.Kubeconfig,
			"--authentication-kubeconfig=" + c.ready.Kubeconfig,
			"--authorization-kubeconfig=" + c.ready.Kubeconfig, "--leader-elect=false",
			"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", ports[3+at]),
			"--cert-dir=" + c.path(name)}
		if at == 0 {
			own = append(own,
				"--service-account-private-key-file="+c.path("service-account.key"))
		}
		if err := c.run(name, own...); err != nil {
			return err
		}
	}
	if err := c.run("kwok", "--kubeconfig="+c.ready.Kubeconfig, "--manage-all-nodes=true",
		"--node-lease-duration-seconds=40", "--config="+c.path("stages.yaml")); err != nil {
		return err
	}
	for _, file := range files {
		if err := c.apply(file); err != nil {
			return err
		}
	}
	return nil
}

// prepare writes keys, tokens, stages, and a link for each name that this program answers to.
func (c *cluster) prepare(users names) error {
	for _, name := range []string{"bin", "logs"} {
		if err := os.MkdirAll(c.path(name), 0o700); err != nil {
			return err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager",
		"kube-scheduler", "kwok", "kubectl"} {
		if err := os.Symlink(self, c.path("bin/"+name)); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	c.ready.Kubectl = c.path("bin/kubectl")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	if err := os.WriteFile(c.path("service-account.key"), pem.EncodeToMemory(block), 0o600); err != nil {
		return err
	}
	var tokens strings.Builder
	for at, user := range append([]string{admin}, users...) {
		secret := make([]byte, 16)
		if _, err := rand.Read(secret); err != nil {
			return err
		}
		c.ready.Tokens[user] = hex.EncodeToString(secret)
		group := "farthing:tests"
		if user == admin {
			group = "system:masters"
		}
		fmt.Fprintf(&tokens, "%s,%s,%d,%q\n", c.ready.Tokens[user], user, at, group)
	}
	if err := os.WriteFile(c.path("tokens.csv"), []byte(tokens.String()), 0o600); err != nil {
		return err
	}
	stages := nodeStages + "---\n" + podStages
	return os.WriteFile(c.path("stages.yaml"), []byte(stages), 0o600)
}

// run starts a part; its output goes to a file, and it ends when this program does, however that
// ends.
func (c *cluster) run(name string, args ...string) error {
	log, err := os.Create(c.path("logs/" + name + ".log"))
	if err != nil {
		return err
	}
	command := exec.Command(c.path("bin/"+name), args...)
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	begun := make(chan error)
	go func() {
		// The signal is sent when the *thread* ends that started the child.
		runtime.LockOSThread()
		begun <- command.Start()
		err := command.Wait()
		_ = log.Close()
		c.ended <- ended{name, err}
	}()
	if err := <-begun; err != nil {
		return fmt.Errorf("%s does not start: %w", name, err)
	}
	c.parts = append(c.parts, command)
	c.args[name] = args
	c.ready.Pids[name] = command.Process.Pid
	return nil
}

// stop ends the parts, the last started first, and kills what does not end in time.
func (c *cluster) stop() {
	for at := len(c.parts) - 1; at >= 0; at-- {
		_ = c.parts[at].Process.Signal(syscall.SIGTERM)
	}
	late := time.After(grace)
	for range c.parts {
		select {
		case <-c.ended:
		case <-late:
			for _, part := range c.parts {
				_ = part.Process.Kill()
			}
			return
		}
	}
}

// why tells how a part ended, with the last that it said.
func (c *cluster) why(end ended) error {
	c.parts = remove(c.parts, end.name)
	text, _ := os.ReadFile(c.path("logs/" + end.name + ".log"))
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) > 12 {
		lines = lines[len(lines)-12:]
	}
	return fmt.Errorf("%s ended (%v):\n%s", end.name, end.err, strings.Join(lines, "\n"))
}

func remove(parts []*exec.Cmd, name string) []*exec.Cmd {
	var others []*exec.Cmd
	for _, part := range parts {
		if filepath.Base(part.Path) != name {
			others = append(others, part)
		}
	}
	return others
}

// untilReady waits for the API server's own word.
func (c *cluster) untilReady() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.kubeconfig(admin, c.path("admin.kubeconfig")); err != nil {
		return err
	}
	c.ready.Kubeconfig = c.path("admin.kubeconfig")
	for {
		if _, err := os.Stat(c.path("certificates/apiserver.crt")); err == nil {
			if err := c.kubeconfig(admin, c.ready.Kubeconfig); err != nil {
				return err
			}
			said, err := c.kubectl(ctx, "get", "--raw", "/readyz")
			if err == nil && strings.HasPrefix(said, "ok") {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("kube-apiserver was not ready within %s", patience)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (c *cluster) kubeconfigs() error {
	for user := range c.ready.Tokens {
		if user == admin {
			continue
		}
		c.ready.Kubeconfigs[user] = c.path(user + ".kubeconfig")
		if err := c.kubeconfig(user, c.ready.Kubeconfigs[user]); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) kubeconfig(user, file string) error {
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: farthing
clusters: [{name: farthing, cluster: {server: %q, certificate-authority: %q}}]
users: [{name: %q, user: {token: %s}}]
contexts: [{name: farthing, context: {cluster: farthing, user: %q}}]
`, c.ready.Server, c.path("certificates/apiserver.crt"), user, c.ready.Tokens[user], user)
	return os.WriteFile(file, []byte(text), 0o600)
}

// apply waits out what is not served yet, as a custom resource is right after its definition.
func (c *cluster) apply(file string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		_, err := c.kubectl(ctx, "apply", "--server-side", "-f", file)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not applied: %w", file, err)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func (c *cluster) kubectl(ctx context.Context, args ...string) (string, error) {
	command := exec.CommandContext(ctx, c.ready.Kubectl, args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+c.ready.Kubeconfig)
	var out, said bytes.Buffer
	command.Stdout, command.Stderr = &out, &said
	if err := command.Run(); err != nil {
		return out.String(), fmt.Errorf("%w: %s", err, strings.TrimSpace(said.String()))
	}
	return out.String(), nil
}

func (c *cluster) path(name string) string { return filepath.Join(c.dir, name) }

// freePorts asks the system for ports that nobody listens on; all are held until all are known.
func freePorts(count int) ([]int, error) {
	var ports []int
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close()
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
