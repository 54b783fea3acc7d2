import json

from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import JsonResponse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from .models import Post


@require_POST
def new_account(request):
    body = json.loads(request.body)
    try:
        validate_password(body["password"])
    except ValidationError as error:
        return JsonResponse({"errors": error.messages}, status=400)
    if User.objects.filter(username=body["email"]).exists():
        return JsonResponse({"errors": ["taken"]}, status=400)
    User.objects.create_user(body["email"], body["email"], body["password"])
    return JsonResponse({"created": True}, status=201)


@require_POST
def log_in(request):
    body = json.loads(request.body)
    user = authenticate(username=body["email"], password=body["password"])
    if user is None:
        return JsonResponse({"errors": ["wrong"]}, status=400)
    login(request, user)
    return JsonResponse({"welcome": True})


@require_POST
def log_out(request):
    logout(request)
    return JsonResponse({"bye": True})


@require_GET
def myself(request):
    if not request.user.is_authenticated:
        return JsonResponse({"errors": ["sign in"]}, status=401)
    return JsonResponse({"pk": request.user.pk, "email": request.user.email})


@require_http_methods(["GET", "POST"])
def posts(request):
    if not request.user.is_authenticated:
        return JsonResponse({"errors": ["sign in"]}, status=401)
    if request.method == "POST":
        body = json.loads(request.body)
        post = Post.objects.create(author=request.user, headline=body["headline"], text=body["text"])
        return JsonResponse({"pk": post.pk}, status=201)
    query = request.GET.get("query", "")
    found = Post.objects.filter(Q(headline__icontains=query) | Q(text__icontains=query), author=request.user)
    return JsonResponse({"posts": [{"pk": post.pk, "headline": post.headline, "text": post.text} for post in found]})


@require_GET
def one_post(request, number):
    if not request.user.is_authenticated:
        return JsonResponse({"errors": ["sign in"]}, status=401)
    post = Post.objects.filter(pk=number).first()
    if post is None:
        return JsonResponse({"errors": ["none"]}, status=404)
    return JsonResponse({"pk": post.pk, "headline": post.headline, "text": post.text})
