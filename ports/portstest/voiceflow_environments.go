package portstest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// listOf returns a list of n environments that say no more than they must.
func listOf(n int) string {
	return `{"data":[` + strings.TrimSuffix(strings.Repeat(`{"id":"x","alias":"a"},`, n), ",") + `]}`
}

func environmentsListed(t *testing.T, far FarSide) {
	c := far.Client(t, patience)
	id := func(n int) string { return fmt.Sprintf("66c8%020x", n) }
	for _, tc := range []struct {
		name, answer string
		want         []domain.EnvironmentState
	}{
		{"no environments", `{"data":[]}`, []domain.EnvironmentState{}},
		{"environments", `{"data":[{"id":"` + id(1) + `","name":"Main","alias":"main","isMain":true,"releases":[{"name":"1","backupID":7,"versionID":"` + id(2) +
			`"},{"versionID":"` + id(3) + `","more":{"a":[]}}],"draftVersionID":"` + id(4) + `","publishedVersionID":"` + id(3) +
			`","draftVersionIDsHistory":["` + id(5) + `"],"trafficPercentage":50.5},{"alias":"dev","publishedVersionID":null}],"more":1}`,
			[]domain.EnvironmentState{
				{ID: id(1), Alias: "main", Releases: []string{id(2), id(3)}, Draft: id(4), Published: id(3), Drafts: []string{id(5)}},
				{Alias: "dev"},
			}},
		{"ids in capitals, and what is no id or alias", `{"data":[{"id":"a b","alias":"a/../b","draftVersionID":"` + strings.ToUpper(id(0xabc)) +
			`","publishedVersionID":"latest","releases":[{}],"draftVersionIDsHistory":["",null]},{"alias":"` + id(9) + `"}]}`,
			[]domain.EnvironmentState{{Draft: id(0xabc)}, {}}},
	} {
		f := far.serve(t, says(200, "application/json", tc.answer))
		got, err := c.Environments(t.Context(), voiceflowID(1), credential)
		wantNil(t, "Environments with "+tc.name, err)
		wantSame(t, "Environments with "+tc.name, got, tc.want)
		r := f.requests()[0]
		wantSame(t, "the request", []string{r.method, r.path, r.query, r.body, r.header.Get("Authorization")},
			[]string{http.MethodGet, "/v1alpha1/project/" + string(voiceflowID(1)) + "/environments", "", "", credential.Reveal()})
	}
	far.serve(t, says(200, "application/json", listOf(1000)))
	got, err := c.Environments(t.Context(), voiceflowID(1), credential)
	wantNil(t, "Environments with 1000 of them", err)
	wantSame(t, "the number of them", len(got), 1000)
}

func environmentsMalformed(t *testing.T, far FarSide) {
	c := far.Client(t, patience)
	for what, answer := range malformedLists() {
		far.serve(t, says(200, "application/json", answer))
		got, err := c.Environments(t.Context(), voiceflowID(1), credential)
		wantKind(t, "Environments whose answer "+what, err, domain.VoiceflowUnavailable)
		wantSame(t, "what Environments returned beside the error", len(got), 0)
	}
}

func malformedLists() map[string]string {
	return map[string]string{
		"is empty":                       "",
		"is a word":                      marker,
		"is a list":                      `[]`,
		"has no data":                    `{"environments":[]}`,
		"has null as its data":           `{"data":null}`,
		"has an object as its data":      `{"data":{"id":"` + marker + `"}}`,
		"has a number as an alias":       `{"data":[{"alias":7}]}`,
		"has an object as an id":         `{"data":[{"alias":"main","draftVersionID":{"` + marker + `":1}}]}`,
		"has a text as its releases":     `{"data":[{"alias":"main","releases":"` + marker + `"}]}`,
		"has an alias twice":             `{"data":[{"alias":"main","alias":"` + marker + `"}]}`,
		"is cut":                         `{"data":[{"alias":"main"}`,
		"is followed by more":            `{"data":[]}{"data":[{"alias":"` + marker + `"}]}`,
		"has 1001 environments":          listOf(1001),
		"has more than a mebibyte of it": `{"data":[],"more":"` + strings.Repeat("x", 1<<20) + `"}`,
	}
}

func environmentsRefused(t *testing.T, far FarSide) {
	for status, want := range map[int]domain.Kind{
		400: domain.VoiceflowRejected, 401: domain.CredentialsRejected, 403: domain.VoiceflowRejected, 404: domain.VoiceflowRejected,
		408: domain.VoiceflowUnavailable, 429: domain.VoiceflowUnavailable, 500: domain.VoiceflowUnavailable, 503: domain.VoiceflowUnavailable,
	} {
		far.Fail(t, Fault{Form: FaultStatus, Status: status})
		_, err := far.Client(t, time.Second).Environments(t.Context(), voiceflowID(1), credential)
		wantKind(t, fmt.Sprintf("Environments answered with %d", status), err, want)
	}
	far.Fail(t, Fault{Form: FaultRedirect, Status: 307})
	_, err := far.Client(t, time.Second).Environments(t.Context(), voiceflowID(1), credential)
	wantKind(t, "Environments redirected", err, domain.VoiceflowUnavailable)
	wantSame(t, "requests where the redirect points to", far.Elsewhere(), 0)
	far.Fail(t, Fault{Form: FaultSilent})
	_, err = far.Client(t, 50*time.Millisecond).Environments(t.Context(), voiceflowID(1), credential)
	wantKind(t, "Environments without an answer", err, domain.VoiceflowUnavailable)
	far.Fail(t, Fault{Form: FaultClosed})
	_, err = far.Client(t, time.Second).Environments(t.Context(), voiceflowID(1), credential)
	wantKind(t, "Environments while nobody listens", err, domain.VoiceflowUnavailable)
}

func environmentsErrors(t *testing.T, far FarSide) {
	answers := malformedLists()
	answers["echoes the key"] = `{"data":` + credential.Reveal()
	for what, answer := range answers {
		far.serve(t, says(200, "application/json", answer))
		_, err := far.Client(t, patience).Environments(t.Context(), voiceflowID(1), credential)
		wantHarmless(t, "Environments whose answer "+what, err, credential)
	}
	for _, status := range []int{401, 404, 503} {
		far.Fail(t, Fault{Form: FaultStatus, Status: status, Text: `{"message":"` + marker + credential.Reveal() + `"}`})
		_, err := far.Client(t, time.Second).Environments(t.Context(), voiceflowID(1), credential)
		wantHarmless(t, fmt.Sprintf("Environments answered with %d", status), err, credential)
	}
}
