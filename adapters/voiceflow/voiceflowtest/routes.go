package voiceflowtest

// routes registers everything that is served, service by service.
func (s *Server) routes() {
	s.dialog()
	s.api()
	s.analytics()
	s.realtime()
	s.mux.HandleFunc("/", unknownPath)
}

// dialog registers general-runtime.
func (s *Server) dialog() {
	legacy := way{door: dialogDoor, project: inHeader("projectid"), version: inHeader("versionID")}
	s.handle("POST /state/user/{userID}/interact", legacy, (*call).interact)
	s.handle("GET /state/user/{userID}", legacy, (*call).state)
	s.handle("PUT /state/user/{userID}", legacy, (*call).setState)
	s.handle("DELETE /state/user/{userID}", legacy, (*call).deleteState)
	s.handle("PATCH /state/user/{userID}/variables", legacy, (*call).setVariables)

	s.handle("POST /v2/project/{projectID}/user/{userID}/interact/stream",
		way{door: nestDoor, project: inPath("projectID"), version: inQuery("environment")}, (*call).stream)

	s.handle("POST /v4/project/{projectID}/session", way{door: nestDoor, project: inPath("projectID")}, (*call).openSession)
	s.handle("POST /v4/project/{projectID}/environment/{environmentAlias}/session",
		way{door: nestDoor, project: inPath("projectID"), version: inPath("environmentAlias"), aliasOnly: true}, (*call).openSession)
	s.inSession("POST /v4/interact", (*call).interactV4)
	s.inSession("POST /v4/interact/stream", (*call).streamV4)

	s.handle("POST /knowledge-base/query", way{door: knowledgeDoor}, (*call).ask)
}

// api registers the oldest service.
func (s *Server) api() {
	s.mux.HandleFunc("GET /v2/versions/{versionID}/export", s.export)

	ofProject := way{door: legacyDoor, project: inPath("projectID")}
	transcripts := "/v2/transcripts/{projectID}"
	s.handle("PUT /v2/transcripts", way{door: legacyDoor}, (*call).retired)
	s.handle("GET "+transcripts, ofProject, (*call).listLegacy)
	s.handle("GET "+transcripts+"/hasUnreadTranscripts", ofProject, (*call).unread)
	s.handle("GET "+transcripts+"/{transcriptID}", ofProject, withTranscript((*call).turns))
	s.handle("GET "+transcripts+"/{transcriptID}/export", ofProject, withTranscript((*call).exportTranscript))
	s.handle("PATCH "+transcripts+"/{transcriptID}", ofProject, withTranscript((*call).mark))
	s.handle("DELETE "+transcripts+"/{transcriptID}", ofProject, withTranscript((*call).deleteTranscript))
	s.handle("PUT "+transcripts+"/{transcriptID}/report_tag/{tagID}", ofProject, withTranscript((*call).tagTranscript))
	s.handle("DELETE "+transcripts+"/{transcriptID}/report_tag/{tagID}", ofProject, withTranscript((*call).untagTranscript))
	s.handle("PUT "+transcripts+"/{transcriptID}/annotation/utteranceAddedTo", ofProject, withTranscript((*call).mark))

	ofKey := way{door: knowledgeDoor}
	for _, docs := range []string{"/v1/knowledge-base/docs", "/v3alpha/knowledge-base/docs"} {
		s.handle("GET "+docs, ofKey, (*call).listDocuments)
		s.handle("GET "+docs+"/{documentID}", ofKey, withDocument((*call).getDocument))
	}
	docs := "/v1/knowledge-base/docs"
	s.handle("POST "+docs+"/upload", ofKey, add(inArray))
	s.handle("POST "+docs+"/upload/url", ofKey, add(inArray))
	s.handle("POST "+docs+"/upload/table", ofKey, add(alone))
	s.handle("PUT "+docs+"/{documentID}/upload", ofKey, replace(inArray))
	s.handle("PUT "+docs+"/{documentID}/upload/url", ofKey, replace(inArray))
	s.handle("DELETE "+docs+"/{documentID}", ofKey, withDocument((*call).deleteDocument))

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

	s.handle("GET /v1/transcript-evaluation/project/{projectID}", ofProject, (*call).listEvaluations)
	s.handle("GET /v1/transcript-evaluation/{evaluationID}", ofKey, (*call).getEvaluation)
	s.handle("POST /v1/query/usage", way{door: usageDoor}, (*call).usageV1)
	s.handle("POST /v2/query/usage", way{door: usageDoor}, (*call).usageV2)
}

// realtime registers realtime-api. A call of /v1/stable names its project.
func (s *Server) realtime() {
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
	s.handle("GET /v1/stable/evaluation", ofProject, (*call).listEvaluations)
	s.handle("GET /v1/stable/evaluation/{evaluationID}", ofProject, (*call).getEvaluation)
	s.handle("POST /v1/stable/analytics/query/{metric}/project/{projectID}",
		way{door: nestDoor, project: inPath("projectID"), personal: true}, (*call).metric)

	s.handle("POST /v1/stable/knowledge-base/query", ofVersion, (*call).askStable)
	docs := "/v1/stable/knowledge-base/document"
	s.handle("GET "+docs, ofVersion, (*call).listStable)
	s.handle("POST "+docs+"/url", ofVersion, add(stable))
	s.handle("POST "+docs+"/text", ofVersion, add(stable))
	s.handle("POST "+docs+"/table", ofVersion, add(stable))
	s.handle("GET "+docs+"/{documentID}", ofVersion, withDocument((*call).getStableDocument))
	s.handle("PATCH "+docs+"/{documentID}", ofVersion, withDocument((*call).changeStableDocument))
	s.handle("DELETE "+docs+"/{documentID}", ofVersion, withDocument((*call).deleteStableDocument))

	// https://docs.voiceflow.com/api-reference/environmentpublicapi
	ofKey := way{door: nestDoor}
	docs = "/v1alpha1/public/knowledge-base/document"
	s.handle("GET "+docs, ofKey, (*call).listDocuments)
	s.handle("POST "+docs, ofKey, add(alone))
	s.handle("POST "+docs+"/upload/table", ofKey, add(alone))
	s.handle("GET "+docs+"/{documentID}", ofKey, withDocument((*call).getDocument))
	s.handle("PUT "+docs+"/{documentID}", ofKey, replace(alone))
	s.handle("PATCH "+docs+"/{documentID}", ofKey, withDocument((*call).changeDocument))
	s.handle("DELETE "+docs+"/{documentID}", ofKey, withDocument((*call).deleteDocument))
	s.handle("PATCH "+docs+"/{documentID}/chunk/{chunkID}", ofKey, withDocument((*call).changeChunk))

	s.handle("GET /v1alpha1/project/{projectID}/environment/{environmentAlias}/export-json",
		way{door: nestDoor, project: inPath("projectID"), version: inPath("environmentAlias"), aliasOnly: true}, (*call).exportEnvironment)
	inPathOnly := way{door: nestDoor, project: inPath("projectID")}
	s.handle("GET /v1alpha1/project/{projectID}/environments", inPathOnly, (*call).listEnvironments)
	s.handle("GET /v1alpha1/project/{projectID}/environment/{projectEnvironmentIDorAlias}", inPathOnly, (*call).getEnvironment)
	ofAlias := ofProject
	ofAlias.version, ofAlias.aliasOnly = inPath("environmentAlias"), true
	s.handle("GET /v1/stable/environment/{environmentAlias}/export", ofAlias, (*call).exportEnvironment)
	s.handle("GET /v1/stable/environment/{environmentAlias}", ofAlias, (*call).getStableEnvironment)
	s.handle("GET /v1/stable/environment", ofProject, (*call).listStableEnvironments)
	s.handle("GET /v1/stable/project/{projectID}", way{door: nestDoor, project: inPath("projectID"), personal: true}, (*call).getProject)
}
