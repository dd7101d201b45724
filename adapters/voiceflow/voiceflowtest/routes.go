package voiceflowtest

import (
	"cmp"
	"net/http"
)

// The sources of the routes. Each group of routes cites one. A path comes from its source, and never
// from the program that is tested.
//
//   - specCLI: github.com/voiceflow/cli, .speakeasy/out.openapi.yaml (August 2026)
//   - specRuntime: github.com/voiceflow/general-runtime, backend/docs/openapi.yaml (2024)
//   - older: github.com/voiceflow/voiceflow-docs, reference/ (March 2026)
//   - reference: docs.voiceflow.com/api-reference (2026)

// routes registers everything that is served, service by service.
func (s *Server) routes() {
	s.dialog()
	s.api()
	s.analytics()
	s.realtime()
	s.mux.HandleFunc("GET /assets/{name}", serveAsset)
	s.mux.HandleFunc("/", unknownPath)
}

// dialog registers general-runtime.
func (s *Server) dialog() {
	// older, voiceflow-dialog-management-api.json
	legacy := way{door: dialogDoor, project: inHeader("projectid"), version: inHeader("versionID")}
	s.handle("POST /state/user/{userID}/interact", legacy, (*call).interact)
	s.handle("GET /state/user/{userID}", legacy, (*call).state)
	s.handle("PUT /state/user/{userID}", legacy, (*call).setState)
	s.handle("DELETE /state/user/{userID}", legacy, (*call).deleteState)
	s.handle("PATCH /state/user/{userID}/variables", legacy, (*call).setVariables)

	// specRuntime. The header counts before the path (lib/middlewares/project.ts).
	inBoth := legacy
	inBoth.version = func(r *http.Request) string { return cmp.Or(r.Header.Get("versionID"), r.PathValue("versionID")) }
	s.handle("POST /state/{versionID}/user/{userID}/interact", inBoth, (*call).interact)
	s.handle("GET /state/{versionID}/user/{userID}", inBoth, (*call).state)
	s.handle("PUT /state/{versionID}/user/{userID}", inBoth, (*call).setState)
	s.handle("DELETE /state/{versionID}/user/{userID}", inBoth, (*call).deleteState)
	s.handle("PATCH /state/{versionID}/user/{userID}/variables", inBoth, (*call).setVariables)
	s.handle("POST /interact/{versionID}", inBoth, (*call).interactStateless)
	s.handle("GET /interact/{versionID}/state", inBoth, (*call).firstState)

	// reference, conversation/interact--legacy-stream
	s.handle("POST /v2/project/{projectID}/user/{userID}/interact/stream",
		way{door: nestDoor, project: inPath("projectID"), version: inQuery("environment"), stage: inQuery("versionVariant")}, (*call).stream)
	// older, streaming-runtime-api.json
	s.handle("POST /v2beta1/interact/{projectID}/{versionID}/stream",
		way{door: dialogDoor, project: inPath("projectID"), version: inPath("versionID")}, (*call).streamBeta)

	// reference, session and v4interact
	s.handle("POST /v4/project/{projectID}/session", way{door: nestDoor, project: inPath("projectID")}, (*call).openSession)
	s.handle("POST /v4/project/{projectID}/environment/{environmentAlias}/session",
		way{door: nestDoor, project: inPath("projectID"), version: inPath("environmentAlias"), aliasOnly: true}, (*call).openSession)
	s.inSession("POST /v4/interact", (*call).interactV4)
	s.inSession("POST /v4/interact/stream", (*call).streamV4)

	// reference, public-docs/query
	s.handle("POST /knowledge-base/query", way{door: knowledgeDoor}, (*call).ask)
}

// api registers the oldest service.
func (s *Server) api() {
	// older, project-api.json, as for transcripts
	s.mux.HandleFunc("GET /v2/versions/{versionID}/export", s.export)

	ofProject := way{door: legacyDoor, project: inPath("projectID")}
	transcripts := "/v2/transcripts/{projectID}"
	s.handle("PUT /v2/transcripts", way{door: legacyDoor}, (*call).saveTranscript)
	s.handle("GET "+transcripts, ofProject, (*call).listLegacy)
	s.handle("GET "+transcripts+"/hasUnreadTranscripts", ofProject, (*call).unread)
	s.handle("GET "+transcripts+"/{transcriptID}", ofProject, withTranscript((*call).turns))
	s.handle("GET "+transcripts+"/{transcriptID}/export", ofProject, withTranscript((*call).exportTranscript))
	s.handle("PATCH "+transcripts+"/{transcriptID}", ofProject, withTranscript((*call).mark))
	s.handle("DELETE "+transcripts+"/{transcriptID}", ofProject, withTranscript((*call).deleteTranscript))
	s.handle("PUT "+transcripts+"/{transcriptID}/report_tag/{tagID}", ofProject, withTranscript((*call).tagTranscript))
	s.handle("DELETE "+transcripts+"/{transcriptID}/report_tag/{tagID}", ofProject, withTranscript((*call).untagTranscript))
	s.handle("PUT "+transcripts+"/{transcriptID}/annotation/utteranceAddedTo", ofProject, withTranscript((*call).mark))

	// older, Transcripts API, Create Transcript Tag
	s.handle("GET /v2/projects/{projectID}/tags", ofProject, (*call).listReportTags)
	s.handle("PUT /v2/projects/{projectID}/tags", ofProject, (*call).addReportTag)

	// older, knowledge-base-apis.json and the pages of `Knowledge Base - URL Management` for v3alpha
	ofKey := way{door: knowledgeDoor}
	for _, docs := range []string{"/v1/knowledge-base/docs", "/v3alpha/knowledge-base/docs"} {
		s.handle("GET "+docs, ofKey, (*call).listDocuments)
		s.handle("GET "+docs+"/{documentID}", ofKey, withDocument((*call).getDocument))
		s.handle("POST "+docs+"/upload", ofKey, add(inArray))
		s.handle("POST "+docs+"/upload/url", ofKey, add(inArray))
		s.handle("POST "+docs+"/upload/table", ofKey, add(alone))
		s.handle("PUT "+docs+"/{documentID}/upload", ofKey, replace(inArray))
		s.handle("DELETE "+docs+"/{documentID}", ofKey, withDocument((*call).deleteDocument))
	}
	docs := "/v1/knowledge-base/docs"
	s.handle("PUT "+docs+"/{documentID}/upload/url", ofKey, replace(inArray))
	// older, the pages of `Knowledge Base API`
	s.handle("PATCH "+docs+"/{documentID}", ofKey, withDocument((*call).changeDocument))
	s.handle("PATCH "+docs+"/{documentID}/chunk/{chunkID}", ofKey, withDocument((*call).changeChunk))

	// older, knowledge-base-tags.json
	tags := "/v3alpha/knowledge-base/tags"
	s.handle("GET "+tags, ofKey, (*call).listTags)
	s.handle("POST "+tags, ofKey, (*call).addTag)
	s.handle("GET "+tags+"/{tagID}", ofKey, withTag((*call).getTag))
	s.handle("PATCH "+tags+"/{tagID}", ofKey, withTag((*call).changeTag))
	s.handle("DELETE "+tags+"/{tagID}", ofKey, withTag((*call).deleteTag))
	s.handle("POST /v3alpha/knowledge-base/docs/{documentID}/tags/attach", ofKey, withDocument((*call).attach))
	s.handle("POST /v3alpha/knowledge-base/docs/{documentID}/tags/detach", ofKey, withDocument((*call).detach))
}

// analytics registers analytics-api.
func (s *Server) analytics() {
	// reference, transcript, transcript-property and transcript-property-value
	ofProject, ofKey := way{door: nestDoor, project: inPath("projectID")}, way{door: nestDoor}
	s.handle("POST /v1/transcript/project/{projectID}", ofProject, (*call).searchTranscripts)
	s.handle("GET /v1/transcript/{transcriptID}", ofKey, withTranscript((*call).getTranscript))
	s.handle("DELETE /v1/transcript/{transcriptID}", ofKey, withTranscript((*call).deleteTranscript))

	s.handle("GET /v1/transcript-property/project/{projectID}", ofProject, (*call).listProperties)
	s.handle("GET /v1/transcript-property/{propertyID}", ofKey, (*call).getProperty)
	values := "/v1/transcript-property-value"
	s.handle("POST "+values, ofKey, (*call).setValue)
	s.handle("GET "+values+"/transcript/{transcriptID}", ofKey, withTranscript((*call).listValues))
	s.handle("DELETE "+values+"/transcript/{transcriptID}/property/{propertyID}", ofKey, withTranscript((*call).deleteValue))

	// older, analytics-api.json and analytics-api-usage-v2.json
	s.handle("GET /v1/transcript-evaluation/project/{projectID}", ofProject, (*call).listEvaluations)
	s.handle("GET /v1/transcript-evaluation/{evaluationID}", ofKey, (*call).getEvaluation)
	s.handle("POST /v1/query/usage", way{door: usageDoor}, (*call).usageV1)
	s.handle("POST /v2/query/usage", way{door: usageDoor}, (*call).usageV2)
}

// realtime registers realtime-api. A call of /v1/stable names its project.
func (s *Server) realtime() {
	// specCLI, as for all of /v1/stable
	ofProject := way{door: nestDoor, project: inQuery("projectID"), mustName: true, personal: true}
	ofVersion := ofProject
	ofVersion.version, ofVersion.aliasOnly = inQuery("environmentAlias"), true
	s.handle("PUT /v1/stable/conversation/{userID}", ofVersion, (*call).converse)
	state, ofStage := "/v1/stable/conversation-state/{userID}", ofVersion
	ofStage.stage = inQuery("version")
	s.handle("GET "+state, ofStage, staged((*call).stableState))
	s.handle("PATCH "+state, ofStage, staged((*call).setStableState))
	s.handle("DELETE "+state, ofStage, staged((*call).deleteStableState))
	s.handle("PATCH "+state+"/variables", ofStage, staged((*call).setStableVariables))

	s.handle("POST /v1/stable/transcript/search", ofProject, (*call).searchStable)
	s.handle("GET /v1/stable/transcript/{transcriptID}", ofProject, withTranscript((*call).getTranscript))
	properties := "/v1/stable/transcript-property"
	s.handle("GET "+properties, ofProject, (*call).listProperties)
	s.handle("GET "+properties+"/{propertyID}", ofProject, (*call).getProperty)
	s.handle("PUT "+properties+"/{propertyID}/value", ofProject, (*call).setStableValue)
	s.handle("GET /v1/stable/evaluation", ofProject, (*call).listEvaluations)
	s.handle("GET /v1/stable/evaluation/{evaluationID}", ofProject, (*call).getEvaluation)
	s.handle("POST /v1/stable/analytics/query/{metric}/project/{projectID}",
		way{door: nestDoor, project: inPath("projectID"), personal: true}, (*call).metric)

	s.handle("POST /v1/stable/knowledge-base/query", ofVersion, (*call).askStable)
	docs := "/v1/stable/document"
	s.handle("GET "+docs, ofVersion, (*call).listStable)
	s.handle("POST "+docs+"/url", ofVersion, add(stable))
	s.handle("POST "+docs+"/text", ofVersion, add(stable))
	s.handle("POST "+docs+"/table", ofVersion, add(stable))
	s.handle("GET "+docs+"/{documentID}", ofVersion, withDocument((*call).getStableDocument))
	s.handle("PATCH "+docs+"/{documentID}", ofVersion, withDocument((*call).changeStableDocument))
	s.handle("DELETE "+docs+"/{documentID}", ofVersion, withDocument((*call).deleteStableDocument))

	// reference, kbpublicapidocument
	ofKey := way{door: nestDoor, version: inQuery("projectEnvironmentIDOrAlias"), optional: true, aliasOnly: true}
	docs = "/v1alpha1/public/knowledge-base/document"
	s.handle("GET "+docs, ofKey, (*call).listDocuments)
	s.handle("POST "+docs, ofKey, add(alone))
	s.handle("POST "+docs+"/upload/table", ofKey, add(alone))
	s.handle("GET "+docs+"/{documentID}", ofKey, withDocument((*call).getDocument))
	s.handle("PUT "+docs+"/{documentID}", ofKey, replace(alone))
	s.handle("PATCH "+docs+"/{documentID}", ofKey, withDocument((*call).changeDocument))
	s.handle("DELETE "+docs+"/{documentID}", ofKey, withDocument((*call).deleteDocument))
	s.handle("PATCH "+docs+"/{documentID}/chunk/{chunkID}", ofKey, withDocument((*call).changeChunk))

	// reference, environmentpublicapi
	s.handle("GET /v1alpha1/project/{projectID}/environment/{environmentAlias}/export-json",
		way{door: nestDoor, project: inPath("projectID"), version: inPath("environmentAlias"), aliasOnly: true}, (*call).exportEnvironment)
	inPathOnly := way{door: nestDoor, project: inPath("projectID")}
	s.handle("GET /v1alpha1/project/{projectID}/environments", inPathOnly, (*call).listEnvironments)
	s.handle("GET /v1alpha1/project/{projectID}/environment/traffic", inPathOnly, (*call).trafficSplit)
	s.handle("GET /v1alpha1/project/{projectID}/environment/{projectEnvironmentIDorAlias}", inPathOnly, (*call).getEnvironment)
	// specCLI, and for the export reference, environment/export-environment
	ofAlias := ofProject
	ofAlias.version, ofAlias.aliasOnly = inPath("environmentAlias"), true
	s.handle("GET /v1/stable/environment/{environmentAlias}/export", ofAlias, (*call).exportEnvironment)
	s.handle("GET /v1/stable/environment/{environmentAlias}", ofAlias, (*call).getStableEnvironment)
	s.handle("GET /v1/stable/environment", ofProject, (*call).listStableEnvironments)
	s.handle("GET /v1/stable/project/{projectID}", way{door: nestDoor, project: inPath("projectID"), personal: true}, (*call).getProject)
}
