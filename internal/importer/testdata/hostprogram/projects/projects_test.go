package projects_test

import (
	"testing"
	"time"

	"example.com/host/projects"
	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
	"github.com/flowlatch/flowlatch/ports/portstest"
)

func TestRepository(t *testing.T) {
	portstest.ProjectRepository(t, func(_ *testing.T, now ports.Clock) portstest.Store {
		s := memory.New(now)
		return portstest.Store{
			Ports:   projects.Announce(s.Ports(), func(domain.Project) {}),
			Records: func(*testing.T) []domain.Record { return s.Records() },
			Break:   func(*testing.T) { s.Break() },
		}
	})
}

func TestTheHostIsToldOfWhatWasAdded(t *testing.T) {
	var told []domain.ProjectID
	store := projects.Announce(memory.New(time.Now).Ports(), func(p domain.Project) { told = append(told, p.ID) })
	act := domain.Act{By: domain.Operator(), Needs: domain.NeedsAdmin()}
	p := domain.Project{ID: "01890000-0000-7000-8000-000000000001", Voiceflow: "6371c9b4e1a5b2c3d4e5f607", Version: "production"}
	if err := store.Projects.Add(t.Context(), act, p); err != nil {
		t.Fatal(err)
	}
	if err := store.Projects.Add(t.Context(), act, p); domain.KindOf(err) != domain.AlreadyAdded {
		t.Fatalf("got error %v, want AlreadyAdded", err)
	}
	if len(told) != 1 || told[0] != p.ID {
		t.Errorf("the host was told of %v, want %v once", told, p.ID)
	}
}
