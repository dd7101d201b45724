package bunstore_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/domain"
)

// A database is opened, brought up to date, and used through its views. app.Open brings it up
// to date by itself. For Postgres, only the URL differs.
func Example() {
	folder, err := os.MkdirTemp("", "flowlatch-example-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	ctx := context.Background()

	store, err := bunstore.Open(ctx, domain.NewSecret("sqlite://"+folder+"/flowlatch.db"), bunstore.Options{})
	if err != nil {
		panic(err)
	}
	defer func() { _ = store.Close() }()
	if err := store.Migrate(ctx); err != nil {
		panic(err)
	}

	// A change and its audit row are stored together.
	now := time.Now()
	p := domain.Project{ID: "01890000-0000-7000-8000-000000000001", Name: "Support bot", Voiceflow: "6371c9b4e1a5b2c3d4e5f607", Version: "production"}
	call := domain.Call{Caller: domain.Operator(), RequestID: "example"}
	views := store.Ports()
	if err := views.Projects.Add(ctx, call.Act(now, domain.NeedsAdmin(), domain.ActionAddProject, domain.OnProject(p.ID)), p); err != nil {
		panic(err)
	}
	projects, err := views.Projects.Page(ctx, domain.Operator().Sees(), domain.ProjectFilter{}, domain.Cursor{}, 10)
	if err != nil {
		panic(err)
	}
	rows, err := views.Audit.Page(ctx, domain.AuditFilter{}, nil, 10)
	if err != nil {
		panic(err)
	}
	fmt.Println(projects[0].Name)
	fmt.Println(rows[0].Actor, rows[0].Action, rows[0].Outcome)
	// Output:
	// Support bot
	// operator add_project ok
}
