package app_test

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// A Service on adapters that keep everything in memory, under the login of a host program. The
// host says who calls. Here ada is an admin, who adds an assistant and grants it to ben.
func ExampleOpen() {
	ctx := context.Background()
	cipher := memory.NewCipher()
	service, err := app.Open(ctx, app.Ports{
		Store: memory.New(time.Now).Ports(), Cipher: cipher, Keyring: cipher, Pseudonyms: memory.NewPseudonyms(), Voiceflow: supportBot{},
	}, app.Options{})
	if err != nil {
		panic(err)
	}
	defer service.Start(nil)()

	ada := domain.Call{Caller: domain.Caller{ID: "ada", Admin: true}, RequestID: "1"}
	ben := domain.Call{Caller: domain.Caller{ID: "ben"}, RequestID: "2"}
	assistant, err := service.AddProject(ctx, ada, app.AddProject{Version: "0123456789abcdef01234567", Key: domain.NewSecret("VF.DM.key")})
	if err != nil {
		panic(err)
	}
	_, err = service.GetProjects(ctx, ben, domain.Cursor{}, 10)
	fmt.Println(domain.KindOf(err) == domain.NotFound)
	if err := service.GrantProject(ctx, ada, "ben", string(assistant.ID), nil); err != nil {
		panic(err)
	}
	page, err := service.GetProjects(ctx, ben, domain.Cursor{}, 10)
	if err != nil {
		panic(err)
	}
	fmt.Println(page.Items[0].Name)
	// Output:
	// true
	// Support bot
}

// supportBot is a Voiceflow that has one assistant, whatever it is asked for.
type supportBot struct{}

func (supportBot) Origins() domain.Origins {
	origins := domain.Origins{}
	for _, service := range domain.Services() {
		origins[service] = "https://api.voiceflow.com"
	}
	return origins
}

func (supportBot) Export(context.Context, domain.VersionRef, domain.Secret) (domain.Export, error) {
	return domain.Export{Project: "0123456789abcdef01234567", Name: "Support bot"}, nil
}

func (supportBot) Environments(context.Context, domain.VoiceflowID, domain.Secret) ([]domain.EnvironmentState, error) {
	return []domain.EnvironmentState{{Alias: "main"}}, nil
}

func (supportBot) CheckPersonal(context.Context, domain.VoiceflowID, domain.Secret) error { return nil }

func (supportBot) Forward(context.Context, domain.Forward, *http.Request, domain.Secret) (ports.Answer, error) {
	return ports.Answer{}, &domain.Error{Kind: domain.VoiceflowUnavailable}
}
