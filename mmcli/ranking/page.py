def pictures(media, shown):
    return {}


def render(shown, pictures):
    return ""
