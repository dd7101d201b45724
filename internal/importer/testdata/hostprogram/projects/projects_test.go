package projects_test

import (
	"testing"

	"example.com/host/projects"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
	"github.com/flowlatch/flowlatch/ports/portstest"
)

func TestRepository(t *testing.T) {
	portstest.ProjectRepository(t, func(*testing.T, ports.Clock) portstest.Store {
		r := new(projects.Repository)
		return portstest.Store{
			Projects: r,
			Records:  func(*testing.T) []domain.Record { return r.Records() },
		}
	})
}
