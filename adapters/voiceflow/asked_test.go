package voiceflow_test

import (
	"context"
	"slices"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

// Every name that Voiceflow has for an environment counts, wherever a call has it. Otherwise a call
// would use the default in place of what it names.
func TestNoNameOfAnEnvironmentIsOverlooked(t *testing.T) {
	const id = "6a20545dbeea98055cfc6bba"
	inStream := to(t, domain.ServiceRuntime, "POST", "/v2/project/"+string(pizza.Voiceflow)+"/user/ben/interact/stream")
	search := to(t, domain.ServiceRealtime, "POST", "/v1/stable/transcript/search")
	for _, tc := range []struct {
		call        domain.Forward
		query, body string
		names, none []string
	}{
		{turn(t), "", `{"environmentID":"` + id + `"}`, []string{id}, nil},
		{turn(t), "", `{"projectEnvironmentIDOrAlias":"staging"}`, []string{"staging"}, nil},
		{turn(t), "", `{"projectEnvironmentIDOrAlias":["staging"]}`, nil, []string{`["staging"]`}},
		{search, "", `{"environment":"staging"}`, []string{"staging"}, nil},
		{inStream, "environment%5B%5D=staging", "{}", nil, []string{"environment[]=staging"}},
		{inStream, "environment[0]=staging&versionVariant[]=draft", `{"environment":7}`, nil, []string{"environment[0]=staging", "versionVariant[]=draft", "7"}},
		{inStream, "environment[]=&other[]=x", "{}", nil, nil},
	} {
		asked := domain.AskedEnvironment{}
		tc.call.Environment = func(_ context.Context, a domain.AskedEnvironment) (domain.UsedEnvironment, error) {
			asked = a
			return domain.UsedEnvironment{Name: "main", Send: "main"}, nil
		}
		f := far(t, answer(200, "application/json", "{}"))
		if _, err := f.forward(t.Context(), tc.call, sent(tc.query, tc.body)); err != nil {
			t.Errorf("%s %s: %v", tc.query, tc.body, err)
		}
		if !slices.Equal(asked.Names, tc.names) || !slices.Equal(asked.NoText, tc.none) {
			t.Errorf("%s %s: got %+v, want the names %q and no text %q", tc.query, tc.body, asked, tc.names, tc.none)
		}
	}
}
