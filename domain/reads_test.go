package domain_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/domain"
)

// readRows and turnRows are the rows of the allow-list that count as reads and as turns. A new row
// has to be decided here.
var (
	readRows = []string{
		"GET general-runtime/state/user/{userID}",
		"GET realtime-api/v1/stable/conversation-state/{userID}",
		"GET api/v2/transcripts/{projectID}",
		"GET api/v2/transcripts/{projectID}/hasUnreadTranscripts",
		"GET api/v2/transcripts/{projectID}/{transcriptID}",
		"GET api/v2/transcripts/{projectID}/{transcriptID}/export",
		"POST analytics-api/v1/transcript/project/{projectID}",
		"GET analytics-api/v1/transcript/{transcriptID}",
		"GET analytics-api/v1/transcript-property/project/{projectID}",
		"GET analytics-api/v1/transcript-property/{propertyID}",
		"GET analytics-api/v1/transcript-property-value/transcript/{transcriptID}",
		"POST realtime-api/v1/stable/transcript/search",
		"GET realtime-api/v1/stable/transcript/{transcriptID}",
		"POST analytics-api/v1/query/usage",
		"POST analytics-api/v2/query/usage",
		"GET analytics-api/v1/transcript-evaluation/project/{projectID}",
		"GET analytics-api/v1/transcript-evaluation/{evaluationID}",
		"POST realtime-api/v1/stable/analytics/query/{metric}/project/{projectID}",
		"GET realtime-api/v1/stable/evaluation",
		"GET realtime-api/v1/stable/evaluation/{evaluationID}",
		"GET api/v1/knowledge-base/docs",
		"GET api/v1/knowledge-base/docs/{documentID}",
		"GET api/v3alpha/knowledge-base/docs",
		"GET api/v3alpha/knowledge-base/docs/{documentID}",
		"GET api/v3alpha/knowledge-base/tags",
		"GET api/v3alpha/knowledge-base/tags/{tagID}",
		"GET realtime-api/v1alpha1/public/knowledge-base/document",
		"GET realtime-api/v1alpha1/public/knowledge-base/document/{documentID}",
		"GET realtime-api/v1/stable/document",
		"GET realtime-api/v1/stable/document/{documentID}",
		"GET api/v2/projects/{projectID}/tags",
		"GET general-runtime/state/{versionID}/user/{userID}",
		"GET general-runtime/interact/{versionID}/state",
		"GET realtime-api/v1/stable/transcript-property",
		"GET realtime-api/v1/stable/transcript-property/{propertyID}",
		"GET realtime-api/v1/stable/project/{projectID}",
		"GET realtime-api/v1/stable/environment",
		"GET realtime-api/v1/stable/environment/{environmentAlias}",
		"GET realtime-api/v1alpha1/project/{projectID}/environments",
		"GET realtime-api/v1alpha1/project/{projectID}/environment/traffic",
		"GET realtime-api/v1alpha1/project/{projectID}/environment/{projectEnvironmentIDOrAlias}",
		"GET api/v2/versions/{versionID}/export",
		"GET realtime-api/v1alpha1/project/{projectID}/environment/{environmentAlias}/export-json",
		"GET realtime-api/v1/stable/environment/{environmentAlias}/export",
	}
	turnRows = []string{
		"POST general-runtime/state/user/{userID}/interact",
		"PUT general-runtime/state/user/{userID}",
		"DELETE general-runtime/state/user/{userID}",
		"PATCH general-runtime/state/user/{userID}/variables",
		"POST general-runtime/state/{versionID}/user/{userID}/interact",
		"PUT general-runtime/state/{versionID}/user/{userID}",
		"DELETE general-runtime/state/{versionID}/user/{userID}",
		"PATCH general-runtime/state/{versionID}/user/{userID}/variables",
		"POST general-runtime/interact/{versionID}",
		"POST general-runtime/v2beta1/interact/{projectID}/{versionID}/stream",
		"POST general-runtime/v2/project/{projectID}/user/{userID}/interact/stream",
		"POST general-runtime/v4/project/{projectID}/session",
		"POST general-runtime/v4/project/{projectID}/environment/{environmentAlias}/session",
		"POST general-runtime/v4/interact",
		"POST general-runtime/v4/interact/stream",
		"PUT realtime-api/v1/stable/conversation/{userID}",
		"PATCH realtime-api/v1/stable/conversation-state/{userID}",
		"DELETE realtime-api/v1/stable/conversation-state/{userID}",
		"PATCH realtime-api/v1/stable/conversation-state/{userID}/variables",
		"PUT api/v2/transcripts",
		"PATCH api/v2/transcripts/{projectID}/{transcriptID}",
		"PUT api/v2/transcripts/{projectID}/{transcriptID}/report_tag/{tagID}",
		"DELETE api/v2/transcripts/{projectID}/{transcriptID}/report_tag/{tagID}",
		"PUT api/v2/transcripts/{projectID}/{transcriptID}/annotation/utteranceAddedTo",
		"POST analytics-api/v1/transcript-property-value",
		"DELETE api/v2/transcripts/{projectID}/{transcriptID}",
		"DELETE analytics-api/v1/transcript/{transcriptID}",
		"DELETE analytics-api/v1/transcript-property-value/transcript/{transcriptID}/property/{propertyID}",
		"POST general-runtime/knowledge-base/query",
		"POST realtime-api/v1/stable/knowledge-base/query",
		"POST api/v1/knowledge-base/docs/upload",
		"POST api/v1/knowledge-base/docs/upload/url",
		"POST api/v1/knowledge-base/docs/upload/table",
		"PUT api/v1/knowledge-base/docs/{documentID}/upload",
		"PUT api/v1/knowledge-base/docs/{documentID}/upload/url",
		"DELETE api/v1/knowledge-base/docs/{documentID}",
		"PATCH api/v1/knowledge-base/docs/{documentID}",
		"PATCH api/v1/knowledge-base/docs/{documentID}/chunk/{chunkID}",
		"POST api/v3alpha/knowledge-base/docs/upload",
		"POST api/v3alpha/knowledge-base/docs/upload/url",
		"POST api/v3alpha/knowledge-base/docs/upload/table",
		"PUT api/v3alpha/knowledge-base/docs/{documentID}/upload",
		"DELETE api/v3alpha/knowledge-base/docs/{documentID}",
		"PUT api/v2/projects/{projectID}/tags",
		"PUT realtime-api/v1/stable/transcript-property/{propertyID}/value",
		"POST api/v3alpha/knowledge-base/tags",
		"PATCH api/v3alpha/knowledge-base/tags/{tagID}",
		"DELETE api/v3alpha/knowledge-base/tags/{tagID}",
		"POST api/v3alpha/knowledge-base/docs/{documentID}/tags/attach",
		"POST api/v3alpha/knowledge-base/docs/{documentID}/tags/detach",
		"POST realtime-api/v1alpha1/public/knowledge-base/document",
		"POST realtime-api/v1alpha1/public/knowledge-base/document/upload/table",
		"PUT realtime-api/v1alpha1/public/knowledge-base/document/{documentID}",
		"PATCH realtime-api/v1alpha1/public/knowledge-base/document/{documentID}",
		"DELETE realtime-api/v1alpha1/public/knowledge-base/document/{documentID}",
		"PATCH realtime-api/v1alpha1/public/knowledge-base/document/{documentID}/chunk/{chunkID}",
		"POST realtime-api/v1/stable/document/url",
		"POST realtime-api/v1/stable/document/text",
		"POST realtime-api/v1/stable/document/table",
		"PATCH realtime-api/v1/stable/document/{documentID}",
		"DELETE realtime-api/v1/stable/document/{documentID}",
	}
)

func TestReadsAndTurns(t *testing.T) {
	var reads, turns []string
	for _, e := range domain.Endpoints() {
		row := fmt.Sprintf("%s %s%s", e.Method, e.Service, e.Path)
		if e.Reads() {
			reads = append(reads, row)
		} else {
			turns = append(turns, row)
		}
		if e.Reads() && (e.Writes || e.Turn || e.Starts) {
			t.Errorf("%s counts as a read, but it writes or takes a turn", row)
		}
	}
	if diff := cmp.Diff(readRows, reads, unordered); diff != "" {
		t.Errorf("reads (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(turnRows, turns, unordered); diff != "" {
		t.Errorf("turns (-want +got):\n%s", diff)
	}
}

// unordered compares lists of texts without regard to their order.
var unordered = cmp.Transformer("sorted", func(list []string) []string { return slices.Sorted(slices.Values(list)) })
