package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The test binary plays the parts, too: it is started again by their names.
func TestMain(m *testing.M) {
	if name := filepath.Base(os.Args[0]); !strings.HasSuffix(name, ".test") {
		main()
		return
	}
	os.Exit(m.Run())
}

const job = `apiVersion: batch/v1
kind: Job
metadata: {name: short, namespace: default}
spec:
  template:
    metadata: {annotations: {cluster.farthing.dev/runs-for: 1s}}
    spec:
      restartPolicy: Never
      containers: [{name: main, image: none, resources: {limits: {nvidia.com/gpu: "8"}}}]
`

func TestAJobRunsOnAGPUNodeAndNothingIsLeft(t *testing.T) {
	c := &cluster{dir: t.TempDir(), ended: make(chan ended, 8), args: map[string][]string{}}
	work := filepath.Join(c.dir, "job.yaml")
	if err := os.WriteFile(work, []byte(job), 0o600); err != nil {
		t.Fatal(err)
	}
	err := c.start(names{"nobody"}, names{"demo/nodes.yaml", work})
	defer c.stop()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	wait := []string{"wait", "--for=condition=complete", "job/short", "--timeout=60s"}
	if _, err := c.kubectl(ctx, wait...); err != nil {
		t.Fatal(err)
	}
	nodes, err := c.kubectl(ctx, "get", "pods", "-o", "jsonpath={.items[*].spec.nodeName}")
	if err != nil || !strings.HasPrefix(nodes, "h100-") {
		t.Fatalf("the job ran on %q: %v", nodes, err)
	}
	// RBAC is on: a user without rights has none.
	refused := exec.Command(c.ready.Kubectl, "get", "pods")
	refused.Env = append(os.Environ(), "KUBECONFIG="+c.ready.Kubeconfigs["nobody"])
	if said, err := refused.CombinedOutput(); err == nil || !strings.Contains(string(said), "Forbidden") {
		t.Fatalf("nobody may look: %s", said)
	}
	c.stop()
	c.parts = nil
	for name, pid := range c.ready.Pids {
		for end := time.Now().Add(grace); ; time.Sleep(50 * time.Millisecond) {
			if _, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid))); os.IsNotExist(err) {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%s (%d) is left", name, pid)
			}
		}
	}
}
