package voiceflow

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"

	"github.com/go-json-experiment/json"

	"github.com/flowlatch/flowlatch/domain"
)

const (
	// maxList is the largest list of environments, in bytes.
	maxList = 1 << 20
	// maxListed is the largest number of environments in a list. A project has ten at most
	// (https://docs.voiceflow.com/resources/glossary/deploy).
	maxListed = 1000
)

// Environments calls GET /v1alpha1/project/{projectID}/environments
// (https://docs.voiceflow.com/api-reference/environmentpublicapi/list-environments). It retries as
// Export does.
func (c *Client) Environments(ctx context.Context, project domain.VoiceflowID, key domain.Secret) ([]domain.EnvironmentState, error) {
	var states []domain.EnvironmentState
	at := c.services[domain.ServiceRealtime].base.JoinPath("v1alpha1", "project", url.PathEscape(string(project)), "environments")
	failed := c.retry(ctx, func(ctx context.Context) *failure {
		failed := c.get(ctx, at, http.Header{"Authorization": {key.Reveal()}}, maxList+1, func(body *cappedReader) (err error) {
			if states, err = decodeEnvironments(body); err != nil {
				return unavailable("Voiceflow's answer is not a list of environments", err)
			}
			return nil
		})
		if failed != nil && failed.status == http.StatusUnauthorized {
			failed.err = rejected(failed.status, false)
		}
		return failed
	})
	if failed != nil {
		return nil, failed
	}
	return states, nil
}

// listedEnvironment is an environment in Voiceflow's answer. Voiceflow may leave members out.
type listedEnvironment struct {
	ID        string   `json:"id"`
	Alias     string   `json:"alias"`
	Draft     string   `json:"draftVersionID"`
	Published string   `json:"publishedVersionID"`
	Drafts    []string `json:"draftVersionIDsHistory"`
	Releases  []struct {
		Version string `json:"versionID"`
	} `json:"releases"`
}

// decodeEnvironments reads a list of environments. Its errors leave those of the decoder out,
// because these quote the answer.
func decodeEnvironments(body *cappedReader) ([]domain.EnvironmentState, error) {
	body.token = maxToken
	all, err := io.ReadAll(body)
	if err != nil {
		return nil, errTooLarge
	}
	var answer struct {
		Data *[]listedEnvironment `json:"data"`
	}
	switch err := json.Unmarshal(all, &answer); {
	case err != nil || answer.Data == nil:
		return nil, errors.New("voiceflow: the answer is not JSON with a list of environments")
	case len(*answer.Data) > maxListed:
		return nil, errors.New("voiceflow: the list has too many environments")
	}
	states := make([]domain.EnvironmentState, len(*answer.Data))
	for i, listed := range *answer.Data {
		state := domain.EnvironmentState{ID: listed.ID, Alias: listed.Alias, Draft: listed.Draft, Published: listed.Published, Drafts: listed.Drafts}
		for _, release := range listed.Releases {
			state.Releases = append(state.Releases, release.Version)
		}
		states[i] = state.Plain()
	}
	return states, nil
}
