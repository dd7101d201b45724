package postgrestest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/modules/postgres"
)

const (
	engineLimit = 10 * time.Second
	// pullLimit bounds the wait of each package for a registry that does not answer.
	pullLimit  = time.Minute
	startLimit = 2 * time.Minute

	// memory is the folder in the container whose files are in the memory of the machine.
	memory = "/flowlatch-test"
)

// image returns the name of the image. It first finds a Docker engine, pulls the image, and
// starts the watchdog. Returns errMissing if there is no engine or no image.
var image = sync.OnceValues(func() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), engineLimit)
	defer cancel()
	provider, err := testcontainers.NewDockerProvider()
	if err != nil {
		return "", fmt.Errorf("%w: Docker does not run here: %w", errMissing, err)
	}
	engine := provider.Client()
	if _, err := engine.Ping(ctx, client.PingOptions{}); err != nil {
		return "", fmt.Errorf("%w: Docker does not answer: %w", errMissing, err)
	}
	if err := findPublishedPorts(ctx, engine); err != nil {
		return "", err
	}
	name := os.Getenv(imageVariable)
	if name == "" {
		name = DefaultImage
	}
	if err := pullUnlessHere(engine, name); err != nil {
		return "", fmt.Errorf("%w: the image %s is not here and can't be pulled: %w", errMissing, name, err)
	}
	if err := startWatchdog(); err != nil {
		return "", fmt.Errorf("start the watchdog over the containers: %w", err)
	}
	return name, nil
})

// ownBridge is set by findPublishedPorts if the bridge of the containers seems to be one of our own
// network interfaces.
var ownBridge bool

// findPublishedPorts tells testcontainers where the ports of containers appear, if it would
// guess wrong. If /.dockerenv exists, testcontainers assumes that the engine runs outside of
// this container, and asks the default gateway. But the engine may run inside with us. Then
// its bridge is one of our own network interfaces.
func findPublishedPorts(ctx context.Context, engine client.APIClient) error {
	const hostVariable = "TESTCONTAINERS_HOST_OVERRIDE"
	if os.Getenv(hostVariable) != "" || !strings.HasPrefix(engine.DaemonHost(), "unix://") {
		return nil
	}
	bridge, err := engine.NetworkInspect(ctx, "bridge", client.NetworkInspectOptions{})
	if err != nil {
		// Engines other than Docker have no network of this name. They need no help.
		return nil
	}
	if _, err := net.InterfaceByName(bridge.Network.Options["com.docker.network.bridge.name"]); err != nil {
		return nil
	}
	ownBridge = true
	return os.Setenv(hostVariable, "localhost")
}

// pullUnlessHere pulls the image if it is not here. It tries once; testcontainers would retry
// until its time is over.
func pullUnlessHere(engine client.APIClient, name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), pullLimit)
	defer cancel()
	if _, err := engine.ImageInspect(ctx, name); err == nil {
		return nil
	}
	progress, err := engine.ImagePull(ctx, name, client.ImagePullOptions{})
	if err != nil {
		return err
	}
	return errors.Join(progress.Wait(ctx), progress.Close())
}

// startServer starts the only container of this test binary and returns the URL of a database
// on it.
func startServer(image string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	c, err := postgres.Run(ctx, image,
		// The network of this machine can reach the port.
		postgres.WithPassword(rand.Text()),
		// A database is some 300 files. To make them in memory costs a tenth of the time. The path is
		// not the one of the image, because that differs between versions of Postgres.
		testcontainers.WithTmpfs(map[string]string{memory: "rw"}),
		testcontainers.WithEnv(map[string]string{"PGDATA": memory + "/data"}),
		// Each parallel test has a pool. The server need not survive a crash of the machine. The
		// log of changes would fill the memory: nobody reads it but a server that starts again.
		testcontainers.WithCmdArgs("-c", "max_connections=300", "-c", "fsync=off", "-c", "full_page_writes=off",
			"-c", "synchronous_commit=off", "-c", "wal_level=minimal", "-c", "max_wal_senders=0", "-c", "max_wal_size=128MB"),
		postgres.BasicWaitStrategies(),
	)
	if err != nil {
		return "", fmt.Errorf("start a container of %s: %w", image, err)
	}
	published, err := c.ConnectionString(ctx, "sslmode=disable")
	if err != nil || !ownBridge {
		return published, err
	}
	return direct(ctx, c, published), nil
}

// direct returns the URL of the server in its container, if it can be reached there, and otherwise
// published. Docker copies every byte of a published port, which takes a fifth of the time of our
// tests.
func direct(ctx context.Context, c *postgres.PostgresContainer, published string) string {
	ip, err := c.ContainerIP(ctx)
	if err != nil {
		return published
	}
	u, err := url.Parse(published)
	if err != nil {
		return published
	}
	u.Host = net.JoinHostPort(ip, "5432")
	ctx, cancel := context.WithTimeout(ctx, engineLimit)
	defer cancel()
	conn, err := pgx.Connect(ctx, u.String()) // the password tells whether it is our server
	if err != nil || conn.Close(ctx) != nil {
		return published
	}
	return u.String()
}
