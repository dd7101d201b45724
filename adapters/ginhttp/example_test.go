package ginhttp_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/flowlatch/flowlatch/adapters/ginhttp"
	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// A host program has a gin router and a login of its own: here, a proxy in front of it
// that puts the user's name into a header.
func ExampleMount() {
	store, cipher := memory.New(time.Now), memory.NewCipher()
	service, err := app.Open(context.Background(), app.Ports{
		Store: store.Ports(), Cipher: cipher, Keyring: cipher, Pseudonyms: memory.NewPseudonyms(), Voiceflow: oneAssistant{},
	}, app.Options{})
	if err != nil {
		panic(err)
	}
	router := gin.New()
	err = ginhttp.Mount(router, service, ginhttp.Options{Identify: func(r *http.Request) (domain.Caller, error) {
		user := r.Header.Get("X-Forwarded-User")
		if user == "" {
			return domain.Caller{}, &domain.Error{Kind: domain.NotAuthenticated, Public: "you are not logged in"}
		}
		return domain.Caller{ID: domain.UserID(user), Admin: user == "erika"}, nil
	}})
	if err != nil {
		panic(err)
	}

	for _, user := range []string{"", "max", "erika"} {
		r := httptest.NewRequest("POST", "/add_project", strings.NewReader(`{"version_id":"0123456789abcdef01234567","token":"VF.DM.key"}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Forwarded-User", user)
		w := httptest.NewRecorder()
		router.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}
	// Output:
	// 401
	// 401
	// 200
}

// New is the whole: what a program serves that has nothing but Flowlatch in it.
func ExampleNew() {
	store, cipher := memory.New(time.Now), memory.NewCipher()
	service, err := app.Open(context.Background(), app.Ports{
		Store: store.Ports(), Cipher: cipher, Keyring: cipher, Pseudonyms: memory.NewPseudonyms(), Voiceflow: oneAssistant{},
		Logins: &app.Logins{Passwords: memory.PasswordHasher{}, Attempts: unbounded{}},
	}, app.Options{})
	if err != nil {
		panic(err)
	}
	engine, err := ginhttp.New(service, ginhttp.Options{})
	if err != nil {
		panic(err)
	}
	w := httptest.NewRecorder()
	engine.ServeHTTP(w, httptest.NewRequest("GET", "/healthz", nil))
	fmt.Println(w.Code, w.Body)
	// Output: 200 {"message":"alive"}
}

// oneAssistant is a Voiceflow with one assistant, whatever is asked for.
type oneAssistant struct{}

func (oneAssistant) Origins() domain.Origins {
	origins := domain.Origins{}
	for _, service := range domain.Services() {
		origins[service] = "https://api.voiceflow.com"
	}
	return origins
}

func (oneAssistant) Export(context.Context, domain.VersionRef, domain.Secret) (domain.Export, error) {
	return domain.Export{Project: "0123456789abcdef01234567", Name: "Support bot"}, nil
}

func (oneAssistant) Environments(context.Context, domain.VoiceflowID, domain.Secret) ([]domain.EnvironmentState, error) {
	return []domain.EnvironmentState{{Alias: "main"}}, nil
}

func (oneAssistant) CheckPersonal(context.Context, domain.VoiceflowID, domain.Secret) error {
	return nil
}

func (oneAssistant) Forward(context.Context, domain.Forward, *http.Request, domain.Secret) (ports.Answer, error) {
	return ports.Answer{}, &domain.Error{Kind: domain.VoiceflowUnavailable}
}
