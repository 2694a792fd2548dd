"""What providers answer when they don't: errors in the shape that each of them documents, with what they mean. Made-up
names, keys and figures; status, headers and fields are theirs."""

from __future__ import annotations

from typing import Any, NamedTuple

from overwinter.state.errors import (
    ContentRefused,
    ContextTooLong,
    KeyRefused,
    ModelError,
    ModelUnavailable,
    QuotaUsedUp,
    RateLimited,
    RequestRefused,
    UnknownModel,
)


class Refusal(NamedTuple):
    """An answer that is none. ``wait`` is what the provider asks for, in seconds."""

    status: int
    body: Any
    kind: type[ModelError]
    headers: dict[str, str] = {}
    wait: float | None = None


def openai(message: str, kind: str, code: object = None, param: object = None) -> Any:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def anthropic(kind: str, message: str) -> Any:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_011C"}


def google(code: int, status: str, message: str, *details: Any) -> Any:
    error = {"code": code, "message": message, "status": status}
    return {"error": {**error, "details": list(details)} if details else error}


def vllm(code: int, kind: str, message: str) -> Any:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


PAGE = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "37s"}
KEY_INFO = {
    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
    "reason": "API_KEY_INVALID",
    "domain": "googleapis.com",
}

REFUSALS: dict[str, dict[str, Refusal]] = {
    "openai": {
        "key": Refusal(401, openai("Incorrect API key provided: sk-abc***xyz.", "invalid_request_error",
                                   "invalid_api_key"), KeyRefused),
        "country": Refusal(403, openai("Country, region, or territory not supported", "request_forbidden",
                                       "unsupported_country_region_territory"), KeyRefused),
        "project": Refusal(403, openai("Project `proj_1` does not have access to model `gpt-5`",
                                       "invalid_request_error", "model_not_found"), UnknownModel),
        "model": Refusal(404, openai("The model `gpt-9` does not exist or you do not have access to it.",
                                     "invalid_request_error", "model_not_found"), UnknownModel),
        "long": Refusal(400, openai("This model's maximum context length is 128000 tokens. However, your messages "
                                    "resulted in 210042 tokens. Please reduce the length of the messages.",
                                    "invalid_request_error", "context_length_exceeded", "messages"), ContextTooLong),
        "long window": Refusal(400, openai("Your input exceeds the context window of this model. Please adjust your "
                                           "input and try again.", "invalid_request_error",
                                           "context_length_exceeded"), ContextTooLong),
        "rate": Refusal(429, openai("Rate limit reached for gpt-5 in organization org-1 on requests per min (RPM): "
                                    "Limit 3, Used 3, Requested 1. Please try again in 20s.", "requests",
                                    "rate_limit_exceeded"), RateLimited, {"retry-after": "20"}, 20),
        "rate, finer": Refusal(429, openai("Rate limit reached", "tokens", "rate_limit_exceeded"), RateLimited,
                               {"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        "rate, silent": Refusal(429, openai("Too Many Requests", "requests", "rate_limit_exceeded"), RateLimited),
        "never fits": Refusal(429, openai("Request too large for gpt-5 in organization org-1 on tokens per min (TPM): "
                                          "Limit 30000, Requested 41219. The input or output tokens must be reduced "
                                          "in order to run successfully.", "tokens", "rate_limit_exceeded"),
                              ContextTooLong),
        "quota": Refusal(429, openai("You exceeded your current quota, please check your plan and billing details.",
                                     "insufficient_quota", "insufficient_quota"), QuotaUsedUp),
        "policy": Refusal(400, openai("Invalid prompt: your prompt was flagged as potentially violating our usage "
                                      "policy.", "invalid_request_error", "invalid_prompt"), ContentRefused),
        "setting": Refusal(400, openai("Unsupported value: 'temperature' does not support 0 with this model.",
                                       "invalid_request_error", "unsupported_value", "temperature"), RequestRefused),
        "schema": Refusal(400, openai("Invalid schema for function 'lookup': None is not of type 'object'.",
                                      "invalid_request_error", "invalid_function_parameters"), RequestRefused),
        "broken": Refusal(500, openai("The server had an error while processing your request.", "server_error"),
                          ModelUnavailable),
        "overloaded": Refusal(503, openai("The engine is currently overloaded, please try again later", "server_error"),
                              ModelUnavailable, {"retry-after": "5"}, 5),
        "gateway": Refusal(502, PAGE, ModelUnavailable),
    },
    "anthropic": {
        "key": Refusal(401, anthropic("authentication_error", "invalid x-api-key"), KeyRefused),
        "permission": Refusal(403, anthropic("permission_error", "Your API key does not have permission to use the "
                                             "specified resource."), KeyRefused),
        "model": Refusal(404, anthropic("not_found_error", "model: claude-9"), UnknownModel),
        "long": Refusal(400, anthropic("invalid_request_error", "prompt is too long: 210042 tokens > 200000 maximum"),
                        ContextTooLong),
        "long answer": Refusal(400, anthropic("invalid_request_error", "input length and `max_tokens` exceed context "
                                              "limit: 198000 + 8192 > 200000, decrease input length or `max_tokens`"),
                               ContextTooLong),
        "large": Refusal(413, anthropic("request_too_large", "Request exceeds the maximum size"), ContextTooLong),
        "rate": Refusal(429, anthropic("rate_limit_error", "This request would exceed your organization's rate limit "
                                       "of 50,000 input tokens per minute."), RateLimited, {"retry-after": "12"}, 12),
        "rate, silent": Refusal(429, anthropic("rate_limit_error", "Number of requests has exceeded your limit"),
                                RateLimited),
        "quota": Refusal(400, anthropic("invalid_request_error", "Your credit balance is too low to access the "
                                        "Anthropic API. Please go to Plans & Billing to upgrade or purchase credits."),
                         QuotaUsedUp),
        "policy": Refusal(400, anthropic("invalid_request_error", "Output blocked by content filtering policy"),
                          ContentRefused),
        "setting": Refusal(400, anthropic("invalid_request_error", "max_tokens: Field required"), RequestRefused),
        "broken": Refusal(500, anthropic("api_error", "Internal server error"), ModelUnavailable),
        "overloaded": Refusal(529, anthropic("overloaded_error", "Overloaded"), ModelUnavailable),
    },
    "gemini": {
        "key": Refusal(400, google(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.",
                                   KEY_INFO), KeyRefused),
        "permission": Refusal(403, google(403, "PERMISSION_DENIED", "Method doesn't allow unregistered callers"),
                              KeyRefused),
        "model": Refusal(404, google(404, "NOT_FOUND", "models/gemini-9 is not found for API version v1beta, or is "
                                     "not supported for generateContent."), UnknownModel),
        "long": Refusal(400, google(400, "INVALID_ARGUMENT", "The input token count (1200042) exceeds the maximum "
                                    "number of tokens allowed (1048576)."), ContextTooLong),
        "rate": Refusal(429, google(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota, please check your "
                                    "plan and billing details.", RETRY_INFO), RateLimited, {}, 37),
        "rate, silent": Refusal(429, google(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted"), RateLimited),
        "setting": Refusal(400, google(400, "INVALID_ARGUMENT", "Invalid value at 'generation_config.temperature'"),
                           RequestRefused),
        "broken": Refusal(500, google(500, "INTERNAL", "An internal error has occurred."), ModelUnavailable),
        "overloaded": Refusal(503, google(503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
                              ModelUnavailable),
    },
    "mistral": {
        "key": Refusal(401, {"message": "Unauthorized", "request_id": "r1"}, KeyRefused),
        "model": Refusal(400, {"object": "error", "message": "Invalid model: mistral-giant", "type": "invalid_model",
                               "param": None, "code": "1500"}, UnknownModel),
        "long": Refusal(400, {"object": "error", "message": "Prompt contains 140042 tokens and 0 draft tokens, too "
                              "large for model with 131072 maximum context length", "type": "invalid_request_error",
                              "param": None, "code": "3051"}, ContextTooLong),
        "rate": Refusal(429, {"message": "Requests rate limit exceeded"}, RateLimited),
        "setting": Refusal(422, {"object": "error", "message": {"detail": [{"type": "extra_forbidden", "loc": ["body",
                           "seed"], "msg": "Extra inputs are not permitted"}]}, "type": "invalid_request_error",
                           "param": None, "code": None}, RequestRefused),
        "broken": Refusal(503, {"object": "error", "message": "Service unavailable.", "type": "internal_server_error",
                                "param": None, "code": "1000"}, ModelUnavailable),
    },
    "groq": {
        "key": Refusal(401, openai("Invalid API Key", "invalid_request_error", "invalid_api_key"), KeyRefused),
        "model": Refusal(404, openai("The model `llama-9` does not exist or you do not have access to it.",
                                     "invalid_request_error", "model_not_found"), UnknownModel),
        "gone": Refusal(400, openai("The model `mixtral-8x7b-32768` has been decommissioned and is no longer "
                                    "supported.", "invalid_request_error", "model_decommissioned"), UnknownModel),
        "long": Refusal(400, openai("Please reduce the length of the messages or completion.", "invalid_request_error",
                                    "context_length_exceeded", "messages"), ContextTooLong),
        "large": Refusal(413, openai("Request too large for model `llama` on tokens per minute (TPM): Limit 6000, "
                                     "Requested 8042, please reduce your message size and try again.", "tokens",
                                     "rate_limit_exceeded"), ContextTooLong),
        "rate": Refusal(429, openai("Rate limit reached for model `llama` on tokens per minute (TPM): Limit 6000, Used "
                                    "5800, Requested 900. Please try again in 7s.", "tokens", "rate_limit_exceeded"),
                        RateLimited, {"retry-after": "7"}, 7),
        "full": Refusal(498, openai("Flex tier capacity exceeded", "server_error", "capacity_exceeded"),
                        ModelUnavailable),
        "overloaded": Refusal(503, openai("Service Unavailable", "internal_server_error"), ModelUnavailable),
    },
    "deepseek": {
        "key": Refusal(401, openai("Authentication Fails (no such user)", "authentication_error", "invalid_request"),
                       KeyRefused),
        "quota": Refusal(402, openai("Insufficient Balance", "unknown_error", "invalid_request_error"), QuotaUsedUp),
        "model": Refusal(400, openai("Model Not Exist", "invalid_request_error", "invalid_request_error"),
                         UnknownModel),
        "long": Refusal(400, openai("This model's maximum context length is 65536 tokens. However, you requested "
                                    "70042 tokens.", "invalid_request_error", "invalid_request_error"),
                        ContextTooLong),
        "policy": Refusal(400, openai("Content Exists Risk", "invalid_request_error", "invalid_request_error"),
                          ContentRefused),
        "setting": Refusal(422, openai("Failed to deserialize the JSON body", "invalid_request_error"),
                           RequestRefused),
        "rate": Refusal(429, openai("Rate limit reached", "rate_limit_error"), RateLimited),
        "overloaded": Refusal(503, openai("Service is too busy.", "service_unavailable_error"), ModelUnavailable),
    },
    "openrouter": {
        "key": Refusal(401, {"error": {"message": "No auth credentials found", "code": 401}}, KeyRefused),
        "quota": Refusal(402, {"error": {"message": "This request requires more credits, or fewer max_tokens.",
                                         "code": 402, "metadata": {"provider_name": None}}}, QuotaUsedUp),
        "policy": Refusal(403, {"error": {"message": "openai/gpt-5 requires moderation on OpenAI. Your input was "
                                          "flagged for \"violence\"", "code": 403, "metadata": {"reasons":
                                          ["violence"], "flagged_input": "…", "provider_name": "OpenAI"}}},
                          ContentRefused),
        "model": Refusal(400, {"error": {"message": "openai/gpt-9 is not a valid model ID", "code": 400}},
                         UnknownModel),
        "nobody": Refusal(404, {"error": {"message": "No endpoints found for openai/gpt-9.", "code": 404}},
                          UnknownModel),
        "long": Refusal(400, {"error": {"message": "This endpoint's maximum context length is 131072 tokens. However, "
                                        "you requested about 140042 tokens.", "code": 400}}, ContextTooLong),
        "rate": Refusal(429, {"error": {"message": "Provider returned error", "code": 429, "metadata": {"raw":
                              "temporarily rate-limited upstream", "provider_name": "Groq"}}}, RateLimited),
        "broken": Refusal(502, {"error": {"message": "Provider returned error", "code": 502}}, ModelUnavailable),
        "timeout": Refusal(408, {"error": {"message": "Request timed out", "code": 408}}, ModelUnavailable),
    },
    "azure": {
        "key": Refusal(401, {"error": {"code": "401", "message": "Access denied due to invalid subscription key or "
                                       "wrong API endpoint."}}, KeyRefused),
        "model": Refusal(404, {"error": {"code": "DeploymentNotFound", "message": "The API deployment for this "
                                         "resource does not exist."}}, UnknownModel),
        "policy": Refusal(400, {"error": {"message": "The response was filtered due to the prompt triggering Azure "
                                          "OpenAI's content management policy.", "type": None, "param": "prompt",
                                          "code": "content_filter", "status": 400, "innererror": {"code":
                                          "ResponsibleAIPolicyViolation", "content_filter_result": {"hate":
                                          {"filtered": True, "severity": "high"}}}}}, ContentRefused),
        "long": Refusal(400, openai("This model's maximum context length is 128000 tokens.", "invalid_request_error",
                                    "context_length_exceeded", "messages"), ContextTooLong),
        "rate": Refusal(429, {"error": {"code": "429", "message": "Requests to the ChatCompletions_Create Operation "
                                        "have exceeded call rate limit. Please retry after 17 seconds."}}, RateLimited,
                        {"retry-after": "17"}, 17),
        "broken": Refusal(500, {"error": {"code": "InternalServerError", "message": "Backend returned unexpected "
                                          "response."}}, ModelUnavailable),
    },
    "vllm": {
        "key": Refusal(401, {"error": "Unauthorized"}, KeyRefused),
        "model": Refusal(404, vllm(404, "NotFoundError", "The model `llama-9` does not exist."), UnknownModel),
        "long": Refusal(400, vllm(400, "BadRequestError", "This model's maximum context length is 8192 tokens. "
                                  "However, your request has 9042 input tokens."), ContextTooLong),
        "long, older": Refusal(400, {"object": "error", "message": "This model's maximum context length is 4096 "
                                     "tokens. However, you requested 5042 tokens.", "type": "BadRequestError",
                                     "param": None, "code": 400}, ContextTooLong),
        "setting": Refusal(400, vllm(400, "BadRequestError", '"auto" tool choice requires --enable-auto-tool-choice '
                                     "and --tool-call-parser to be set"), RequestRefused),
        "broken": Refusal(500, vllm(500, "InternalServerError", "EngineCore encountered an issue."), ModelUnavailable),
    },
    "ollama": {
        "model": Refusal(404, openai('model "llama9" not found, try pulling it first', "not_found_error"),
                         UnknownModel),
        "tools": Refusal(400, openai("registry.ollama.ai/library/gemma:2b does not support tools", "api_error"),
                         RequestRefused),
        "busy": Refusal(503, openai("server busy, please try again. maximum pending requests exceeded", "api_error"),
                        ModelUnavailable),
        "broken": Refusal(500, openai("llama runner process has terminated: signal: killed", "api_error"),
                          ModelUnavailable),
    },
    "llama.cpp": {
        "key": Refusal(401, {"error": {"code": 401, "message": "Invalid API Key", "type": "authentication_error"}},
                       KeyRefused),
        "long": Refusal(400, {"error": {"code": 400, "message": "the request exceeds the available context size, try "
                              "increasing it", "type": "exceed_context_size_error", "n_prompt_tokens": 9042, "n_ctx":
                              8192}}, ContextTooLong),
        "long, older": Refusal(500, {"error": {"code": 500, "message": "Context size has been exceeded.", "type":
                               "server_error"}}, ContextTooLong),
        "loading": Refusal(503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}},
                           ModelUnavailable),
    },
    "lm studio": {
        "long": Refusal(400, {"error": "Trying to keep the first 9042 tokens when context the overflows. However, the "
                              "model is loaded with context length of only 4096 tokens, which is not enough."},
                        ContextTooLong),
        "model": Refusal(404, openai("No models loaded. Please load a model in the developer page. The model was not "
                                     "found.", "invalid_request_error", "model_not_found"), UnknownModel),
    },
}  # fmt: skip
"""By provider and case."""

ROUTES: dict[str, tuple[str, str]] = {
    "openai": ("openai/gpt-4o-mini", "/v1"),
    "anthropic": ("anthropic/claude-sonnet-4-5", ""),
    "gemini": ("gemini/gemini-2.5-flash", ""),
    "mistral": ("mistral/mistral-large-latest", "/v1"),
    "groq": ("groq/llama-3.3-70b-versatile", "/v1"),
    "deepseek": ("deepseek/deepseek-chat", "/v1"),
    "openrouter": ("openrouter/openai/gpt-4o", "/v1"),
    "azure": ("azure/gpt-4o", ""),
    "vllm": ("hosted_vllm/llama", "/v1"),
    "ollama": ("openai/llama3.2", "/v1"),
    "llama.cpp": ("openai/llama3.2", "/v1"),
    "lm studio": ("lm_studio/llama3.2", "/v1"),
}
"""The model by which litellm asks that provider, and the path of its API."""

CASES = [(provider, case) for provider, cases in REFUSALS.items() for case in cases]
