"""Limits, patterns and names of openapi.yaml, one constant a schema keyword. From scripts/regenerate."""

from typing import Final

ACCOUNT_NAME_PATTERN: Final = "^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$"
COMMIT_FEED_METHOD: Final = "POST"
COMMIT_FEED_PATH: Final = "/api/orders/feed"
CONFIGURE_FEED_METHOD: Final = "POST"
CONFIGURE_FEED_PATH: Final = "/api/orders/feed/config"
DEFAULT_ACCOUNT_NAME: Final = "apiexamples"
DEFAULT_ENVIRONMENT: Final = "vtexcommercestable"
ENVIRONMENT_PATTERN: Final = "^[a-z0-9]{1,63}$"
EVENT_DATE_PATTERN: Final = "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
EVENT_DESCRIPTION_MAX_LENGTH: Final = 5000
EVENT_DESCRIPTION_MIN_LENGTH: Final = 1
F_INVOICED_DATE_PATTERN: Final = "^invoicedDate:\\[[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z TO [0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z\\]$"
F_STATUS_PATTERN: Final = "^[a-z-]+$"
GET_FEED_CONFIGURATION_METHOD: Final = "GET"
GET_FEED_CONFIGURATION_PATH: Final = "/api/orders/feed/config"
GET_ORDER_METHOD: Final = "GET"
GET_ORDER_PATH: Final = "/api/oms/pvt/orders/{orderId}"
INVOICE_NUMBER_MAX_LENGTH: Final = 128
INVOICE_NUMBER_MIN_LENGTH: Final = 1
INVOICE_NUMBER_PATTERN: Final = "^[A-Za-z0-9_-][A-Za-z0-9._-]*$"
LIST_ORDERS_METHOD: Final = "GET"
LIST_ORDERS_PATH: Final = "/api/oms/pvt/orders"
MAXLOT_MAXIMUM: Final = 10
MAXLOT_MINIMUM: Final = 1
ORDER_BY_PATTERN: Final = "^(creationDate|orderId|items|totalValue|origin),(asc|desc)$"
ORDER_ID_MAX_LENGTH: Final = 128
ORDER_ID_MIN_LENGTH: Final = 1
ORDER_ID_PATTERN: Final = "^[A-Za-z0-9_-][A-Za-z0-9._-]*$"
PAGE_MAXIMUM: Final = 30
PAGE_MINIMUM: Final = 1
PER_PAGE_MAXIMUM: Final = 100
PER_PAGE_MINIMUM: Final = 1
READ_FEED_METHOD: Final = "GET"
READ_FEED_PATH: Final = "/api/orders/feed"
REQUESTED_QUEUE_MESSAGE_RETENTION_PERIOD_IN_SECONDS_MAXIMUM: Final = 1209600
REQUESTED_QUEUE_MESSAGE_RETENTION_PERIOD_IN_SECONDS_MINIMUM: Final = 345600
REQUESTED_QUEUE_VISIBILITY_TIMEOUT_IN_SECONDS_MINIMUM: Final = 1
SEND_TRACKING_NUMBER_METHOD: Final = "PATCH"
SEND_TRACKING_NUMBER_PATH: Final = "/api/oms/pvt/orders/{orderId}/invoice/{invoiceNumber}"
SEND_TRACKING_NUMBER_REQUEST_TRACKING_NUMBER_MIN_LENGTH: Final = 1
SERVER_URL: Final = "https://{accountName}.{environment}.com.br"
UPDATE_TRACKING_STATUS_METHOD: Final = "PUT"
UPDATE_TRACKING_STATUS_PATH: Final = "/api/oms/pvt/orders/{orderId}/invoice/{invoiceNumber}/tracking"
UPDATE_TRACKING_STATUS_REQUEST_DELIVERED_DATE_PATTERN: Final = (
    "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])( ([01][0-9]|2[0-3]):[0-5][0-9])?$"
)
VTEX_IDCLIENT_AUT_COOKIE_HEADER: Final = "VtexIdclientAutCookie"
X_VTEX_API_APP_KEY_HEADER: Final = "X-VTEX-API-AppKey"
X_VTEX_API_APP_TOKEN_HEADER: Final = "X-VTEX-API-AppToken"
